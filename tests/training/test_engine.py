"""The engine: exact resume, what is kept, when it stops, and what it says of it. A regression stands for the model."""

import json
import os
import shutil
import signal
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from voxgrad.errors import DivergedError, EnvironmentFailureError, ExitCode, IntegrityError, VoxgradError
from voxgrad.events import Said, ignore
from voxgrad.settings import RunSpec, StageSpec
from voxgrad.store.filesystem import exclusive_lock
from voxgrad.training import checkpoint
from voxgrad.training.distributed import ProcessGroup
from voxgrad.training.optimizer import optimizer_step
from voxgrad.training.trainer import LOCK, Trainer
from voxgrad.training.training_log import LOG

FIRST = StageSpec(train=("decoder",), steps=9, batch_size=8, learning_rate=3e-2, warmup=2, interpolation=0.7)
SECOND = StageSpec(train=("decoder",), steps=8, batch_size=4, learning_rate=2e-2, crop=64)
SETTINGS = RunSpec(validate_every=2, checkpoint_every=4, ema_decay=0.6, clip_gradient=5.0)


@dataclass
class Regression:
    """A task with dropout, a momentum and a held-out loss that goes up now and then."""

    stages: tuple[StageSpec, ...] = (FIRST, SECOND)
    group: ProcessGroup = field(default_factory=ProcessGroup)
    network: nn.Module = field(init=False)
    told: list[str] = field(init=False, default_factory=list)

    def __post_init__(self):
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))

    @property
    def modules(self):
        return {"model": self.network}

    def name(self, stage):
        return f"stage {stage}"

    def begin(self, stage):
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1.0)
        return {"optimizer": self.optimizer}

    def step(self, stage, step, seed, generator):
        x = torch.randn(self.stages[stage].batch_size, 4, generator=generator)
        self.network.train()
        loss = (self.network(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer_step(loss, [self.network.parameters()], self.optimizer, SETTINGS.clip_gradient, self.group)
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def validate(self, stage):
        self.network.eval()
        x = torch.randn(3, 4, generator=torch.Generator().manual_seed(stage))
        return {"distance": float((self.network(x) - x.sum(1, keepdim=True)).abs().mean()), "other": 1.0}

    def judged_by(self, stage):
        return "distance"


def engine(run: Path, task=None, emit=ignore, settings=SETTINGS, **options) -> Trainer:
    return Trainer(Regression() if task is None else task, settings, run, emit, **options)


def outcome(one: Trainer) -> dict:
    """All that a run leaves behind, but for times."""
    entries = [json.loads(line) for line in (one.run / LOG).read_text().splitlines()]
    for entry in entries:
        entry.pop("seconds", None)
    weights = {name: value.tolist() for name, value in one.task.network.state_dict().items()}
    return {"weights": weights, "log": entries, "total": one.total, "figures": one.position.figures}


class StoppedError(Exception):
    pass


def stopped_at(run: Path, step: int, settings=SETTINGS, **options) -> None:
    """A run that a power cut ends in a step."""

    def pull_the_plug(event):
        if getattr(event, "done", None) == step:
            raise StoppedError

    with pytest.raises(StoppedError):
        engine(run, emit=pull_the_plug, settings=settings, **options).train()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    one = engine(tmp_path_factory.mktemp("whole"), compares=True)
    one.train()
    return outcome(one)


@pytest.mark.parametrize(
    "step", range(1, 18) if "VOXGRAD_INTERRUPTIONS" in os.environ else (1, 4, 8, 9, 13, 17)
)
def test_a_stopped_run_goes_on_bitwise(step, whole, tmp_path):
    stopped_at(tmp_path, step, compares=True)
    torch.manual_seed(99)  # nothing may depend on where torch's own generator stands
    resumed = engine(tmp_path, compares=True)
    resumed.train()
    assert outcome(resumed) == whole


def without(checkpoint: checkpoint.Checkpoint, part: str) -> checkpoint.Checkpoint:
    """A checkpoint that lacks one thing: what a fresh engine has instead is in its place."""
    position, fresh = checkpoint.position, Regression()
    if part in {"model", "average", "best", "start"}:
        return replace(checkpoint, tensors={**checkpoint.tensors, part: fresh.network.state_dict()})
    if part == "optimizer":
        return replace(checkpoint, optimizers={"optimizer": fresh.begin(0)["optimizer"].state_dict()})
    if part.startswith("best."):
        nothing = {
            "best.figure": {"figure": 1e9},
            "best.waited": {"waited": 0},
            "best.figures": {"figures": {}},
        }
        best = replace(position.best, **nothing[part])
        return replace(checkpoint, position=replace(position, best=best))
    empty = checkpoint.TrainerState(0, 0, 0)
    return replace(checkpoint, position=replace(position, **{part: getattr(empty, part)}))


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """How to start a run that patience ends, what came of it, and all its checkpoints, one a step."""
    stages = (FIRST, SECOND.model_copy(update={"steps": 30, "learning_rate": 0.2}))
    settings = SETTINGS.model_copy(update={"patience": 2, "checkpoint_every": 1})
    history = []

    def start(folder):
        return engine(folder, Regression(stages), settings=settings, compares=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            checkpoint, "save_checkpoint", lambda run, checkpoint: history.append(deepcopy(checkpoint))
        )
        complete = start(tmp_path_factory.mktemp("patient"))
        complete.train()
    assert complete.total < 39, "patience must end the last stage"
    return start, complete, history


@pytest.mark.parametrize(
    "part",
    [
        "",  # nothing: so that the others mean something
        *("model", "average", "best", "start", "optimizer", "stage", "step", "total", "updates"),
        *("before", "figures", "best.figure", "best.figures", "best.waited"),
    ],
)
def test_leaving_out_any_saved_state_shows(part, patient, tmp_path, monkeypatch):
    start, complete, history = patient
    expected = outcome(complete)
    monkeypatch.setattr(checkpoint, "save_checkpoint", lambda run, checkpoint: None)

    def differs(saved):
        if part.startswith("best") and saved.position.best is None:
            return False
        lacking = without(deepcopy(saved), part) if part else deepcopy(saved)
        monkeypatch.setattr(checkpoint, "load_checkpoint", lambda run, emit: lacking)
        resumed = start(tmp_path)
        shutil.copyfile(complete.run / LOG, tmp_path / LOG)
        try:
            resumed.train()
        except (VoxgradError, RuntimeError, KeyError):
            return True
        return outcome(resumed) != expected

    # A state need not matter at every step, but it does at one.
    assert any(differs(saved) for saved in history) == bool(part)


def test_the_best_weights_of_a_stage_are_the_ones_kept(tmp_path):
    rough = StageSpec(train=("decoder",), steps=30, batch_size=2, learning_rate=0.5, final=1.0)
    one = engine(tmp_path, Regression((rough,)))
    figures = one.train()
    told = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    held_out = [entry["held_out"]["distance"] for entry in told if "held_out" in entry]
    assert figures["distance"] == min(held_out) < held_out[-1]
    assert one.task.validate(0) == figures


def test_the_next_stage_goes_on_from_the_best_weights(tmp_path):
    rough = StageSpec(train=("decoder",), steps=30, batch_size=2, learning_rate=0.5, final=1.0)
    still = StageSpec(train=("decoder",), steps=1, batch_size=2, learning_rate=1e-12)
    task = Regression((rough, still))
    task.validate = lambda stage: Regression.validate(task, 0)
    one = engine(tmp_path, task)
    figures = one.train()
    told = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    held_out = [
        entry["held_out"]["distance"] for entry in told if "held_out" in entry and entry["step"] <= 30
    ]
    assert figures["distance"] == pytest.approx(min(held_out), abs=1e-4)
    assert held_out[-1] > min(held_out) + 1e-3


def test_a_stage_may_end_on_the_way_to_its_best_weights(tmp_path):
    learns = StageSpec(train=("decoder",), steps=10, batch_size=4, learning_rate=2e-2)
    ends = []
    for share in (1.0, 0.25):
        task = Regression((learns.model_copy(update={"interpolation": share}),))
        start = deepcopy(task.network.state_dict())
        one = engine(tmp_path / str(share), task)
        figures = one.train()
        assert task.validate(0) == figures == one.position.figures
        ends.append({name: value - start[name] for name, value in task.network.state_dict().items()})
    best, quarter = ends
    for name, moved in best.items():
        assert moved.any()
        assert torch.allclose(quarter[name], 0.25 * moved, atol=1e-6)


def test_patience_ends_a_stage_early(tmp_path):
    still = StageSpec(train=("decoder",), steps=50, batch_size=2, learning_rate=1e-30)
    said = []
    settings = SETTINGS.model_copy(update={"patience": 3})
    one = engine(tmp_path, Regression((still, FIRST)), said.append, settings)
    one.train()
    # One validation sets the mark (at step 2); three more find nothing better.
    assert one.total == 8 + 9
    assert Said("stage 0 ends at step 8: nothing better since 2") in said


def test_figures_from_before_the_first_step_are_kept_where_asked_for(tmp_path):
    one = engine(tmp_path / "a", compares=True)
    expected = Regression().validate(1)
    one.train()
    assert one.position.before == expected
    assert engine(tmp_path / "b").position.before is None


@pytest.mark.parametrize(
    "damage", ["truncated", "missing", "changed", "position cut", "no position", "moved"]
)
def test_a_damaged_checkpoint_is_passed_over(damage, whole, tmp_path):
    stopped_at(tmp_path, 15, compares=True)
    before, newest = checkpoint.checkpoints(tmp_path)
    weights, position = newest / "average.safetensors", newest / "position.json"
    content = weights.read_bytes()
    if damage == "truncated":
        weights.write_bytes(content[:-7])
    elif damage == "changed":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "missing":
        (newest / "optimizer.pt").unlink()
    elif damage == "position cut":
        position.write_bytes(position.read_bytes()[:-20])
    elif damage == "no position":
        position.unlink()
    else:
        position.write_text(position.read_text().replace('"total": 13', '"total": 12'))
        position.write_text(position.read_text().replace('"step": 3', '"step": 2'))
    said = []
    resumed = engine(tmp_path, emit=said.append, compares=True)
    resumed.train()
    warning = Said(f"checkpoint {newest.name} is damaged; resuming from the one before it", "warning")
    assert warning in said
    assert Said(f"resuming from step {int(before.name.removeprefix('step-'))}") in said
    assert outcome(resumed) == whole


def test_where_no_checkpoint_is_whole_it_says_so_once(tmp_path):
    stopped_at(tmp_path, 15)
    for saved in checkpoint.checkpoints(tmp_path):
        (saved / "model.safetensors").unlink()
    with pytest.raises(IntegrityError, match=f"no checkpoint of {tmp_path.name} is intact") as caught:
        engine(tmp_path).train()
    assert caught.value.exit_code == ExitCode.INTEGRITY
    engine(tmp_path).train()


def test_what_a_killed_process_left_behind_is_cleared_away(whole, tmp_path):
    stopped_at(tmp_path, 10, compares=True)
    (tmp_path / "ckpt" / "tmp-half").mkdir()
    (tmp_path / "ckpt" / "tmp-half" / "model.safetensors").write_bytes(b"half")
    with (tmp_path / LOG).open("a") as file:
        file.write('{"step": 11, "st')
    resumed = engine(tmp_path, compares=True)
    resumed.train()
    assert outcome(resumed) == whole
    assert len(list((tmp_path / "ckpt").iterdir())) == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("step", [1, 6, 9, 17])
def test_the_first_signal_finishes_the_step_and_saves(number, code, step, whole, tmp_path):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    class Signalled(Regression):
        steps = 0

        def step(self, *arguments):
            self.steps += 1
            if self.steps == step:
                os.kill(os.getpid(), number)
            return super().step(*arguments)

    one = engine(tmp_path, Signalled(), compares=True, resume="voxgrad finetune --resume x")
    with pytest.raises(VoxgradError) as caught:
        one.train()
    assert caught.value.exit_code == code
    assert caught.value.message == f"stopped after step {step} of 17, saved"
    assert caught.value.hint == "Resume with: voxgrad finetune --resume x"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert checkpoint.checkpoints(tmp_path)[-1].name == f"step-{step:08d}"
    resumed = engine(tmp_path, compares=True)
    resumed.train()
    assert outcome(resumed) == whole


def test_the_second_signal_stops_at_once(tmp_path):
    class Impatient(Regression):
        def step(self, *arguments):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("this is not reached")

    with pytest.raises(KeyboardInterrupt):
        engine(tmp_path, Impatient()).train()
    assert checkpoint.checkpoints(tmp_path) == []


def test_an_ignored_signal_stays_ignored(tmp_path):
    class Interrupted(Regression):
        def step(self, *arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return super().step(*arguments)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        engine(tmp_path, Interrupted()).train()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_two_processes_cannot_be_at_one_run(tmp_path):
    with exclusive_lock(tmp_path / LOCK) as free:
        assert free
        with pytest.raises(EnvironmentFailureError, match="another process is working on run"):
            engine(tmp_path).train()
    engine(tmp_path).train()


@pytest.mark.parametrize("k", [1, 6, 12])
def test_a_number_that_is_not_finite_leaves_the_last_checkpoint_finite(k, tmp_path):
    class Poisoned(Regression):
        steps = 0

        def step(self, stage, step, seed, generator):
            self.steps += 1
            if self.steps == k:
                with torch.no_grad():
                    self.network[0].weight[0, 0] = float("nan")
            return super().step(stage, step, seed, generator)

    with pytest.raises(DivergedError, match=f"at step {k}: ") as caught:
        engine(tmp_path, Poisoned()).train()
    assert caught.value.exit_code == ExitCode.DIVERGED
    saved = checkpoint.load_checkpoint(tmp_path, ignore)
    assert (saved is None) == (k == 1)
    if saved is not None:
        assert all(value.isfinite().all() for tensors in saved.tensors.values() for value in tensors.values())


def test_a_loss_without_gradient_that_is_not_finite_is_caught_too():
    weight = nn.Parameter(torch.ones(1))
    with pytest.raises(DivergedError, match="the loss is not finite"):
        optimizer_step(
            weight.sum() + float("inf"), [[weight]], torch.optim.SGD([weight], 1.0), 1.0, ProcessGroup()
        )
    assert weight.item() == 1.0


def test_a_held_out_figure_that_is_not_finite_stops_too(tmp_path):
    task = Regression()
    task.validate = lambda stage: {"distance": float("nan")}
    with pytest.raises(DivergedError, match="the held-out distance at step 2 is not finite"):
        engine(tmp_path, task).train()


@pytest.mark.parametrize(
    ("error", "stage", "message", "hint"),
    [
        (MemoryError(), FIRST, "batch_size 8 and crop 128", "--set stages.0.batch_size=4."),
        (torch.OutOfMemoryError("CUDA"), FIRST, "batch_size 8", "--set stages.0.batch_size=4."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), FIRST, "batch_size 8", "batch_size=4."),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried"),
            FIRST,
            "stage 0",
            "batch_size=4.",
        ),
        (MemoryError(), FIRST.model_copy(update={"batch_size": 1}), "crop 128", "--set stages.0.crop=64."),
    ],
)
def test_out_of_memory_names_the_setting_to_lower(error, stage, message, hint, tmp_path):
    task = Regression((stage,))

    def fail(*arguments):
        raise error

    task.step = fail
    with pytest.raises(EnvironmentFailureError) as caught:
        engine(tmp_path, task).train()
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_other_errors_stay_what_they_are(tmp_path):
    task = Regression()

    def fail(*arguments):
        raise RuntimeError("shapes differ")

    task.step = fail
    with pytest.raises(RuntimeError, match="shapes differ"):
        engine(tmp_path, task).train()


def test_a_full_disk_is_explained(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_file", full)
    with pytest.raises(EnvironmentFailureError, match="The disk is full, cannot save a checkpoint"):
        engine(tmp_path).train()
    assert list((tmp_path / "ckpt").iterdir()) == []
