"""Exact resume: from every step, without any saved state, from damaged checkpoints, after signals."""

import json
import os
import shutil
import signal
import time
from collections import Counter
from itertools import count
from types import SimpleNamespace

import pytest
import torch

from tests.training.regression import FIRST, SECOND, SETTINGS, Regression, engine, outcome, stopped_at
from voxgrad.errors import EnvironmentFailureError, ExitCode, IntegrityError, VoxgradError
from voxgrad.events import Began, Said
from voxgrad.files import exclusive_lock
from voxgrad.training import checkpoint
from voxgrad.training.run import LOG
from voxgrad.training.trainer import LOCK

LONG = bool(os.environ.get("VOXGRAD_LONG"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    one = engine(tmp_path_factory.mktemp("whole"), compares=True)
    one.train()
    return outcome(one)


@pytest.mark.parametrize("step", range(1, 18) if LONG else (4, 8, 13))
def test_a_stopped_run_goes_on_bitwise(step, whole, tmp_path):
    stopped_at(tmp_path, step, compares=True)
    torch.manual_seed(99)  # nothing may depend on where torch's own generator stands
    resumed = engine(tmp_path, compares=True)
    resumed.train()
    assert outcome(resumed) == whole


def seconds_pass(monkeypatch) -> None:
    """A second passes whenever somebody asks."""
    seconds = count()
    clock = SimpleNamespace(monotonic=lambda: next(seconds), perf_counter=time.perf_counter)
    monkeypatch.setattr("voxgrad.training.trainer.time", clock)


def steps_of_stages(run) -> list[int]:
    rows = map(json.loads, (run / LOG).read_text().splitlines())
    return list(Counter(row["stage"] for row in rows if "seconds" in row).values())


def test_a_stage_ends_when_its_time_is_over_whatever_its_steps(tmp_path):
    late = engine(tmp_path)
    late.stage_seconds = (1e-9, 1e-9)
    late.train()
    assert steps_of_stages(tmp_path) == [1, 1]


def test_stages_share_a_budget_and_a_stopped_run_has_the_rest_of_it(tmp_path, monkeypatch):
    seconds_pass(monkeypatch)
    whole = engine(tmp_path / "whole")
    whole.stage_seconds = (300.0, 100.0)
    whole.train()
    first, second = steps_of_stages(tmp_path / "whole")
    assert first > FIRST.steps
    assert first / second == pytest.approx(3, rel=0.3)
    stopped_at(tmp_path / "stopped", 200, stage_seconds=(300.0, 100.0))
    resumed = engine(tmp_path / "stopped")
    resumed.stage_seconds = (300.0, 100.0)
    resumed.train()
    assert steps_of_stages(tmp_path / "stopped") == pytest.approx([first, second], abs=3)


@pytest.mark.parametrize("step", range(1, 20) if LONG else (12, 17))
def test_a_stopped_run_that_patience_ends_goes_on_bitwise(step, tmp_path):
    stages = (FIRST, SECOND.model_copy(update={"steps": 30, "learning_rate": 0.2}))
    settings = SETTINGS.model_copy(update={"patience": 2, "checkpoint_every": 1})
    whole = engine(tmp_path / "whole", Regression(stages), settings=settings)
    whole.train()
    assert step < whole.total < 39, "patience must end the last stage"
    stopped_at(tmp_path / "run", step, settings, task=Regression(stages))
    resumed = engine(tmp_path / "run", Regression(stages), settings=settings)
    resumed.train()
    assert outcome(resumed) == outcome(whole)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was stopped after its checkpoints of steps 9 and 13."""
    run = tmp_path_factory.mktemp("stopped")
    stopped_at(run, 15, compares=True)
    return run


@pytest.mark.parametrize("damage", ["truncated", "missing", "changed", "position cut", "no position", "moved"])
def test_a_damaged_checkpoint_is_passed_over(damage, stopped, whole, tmp_path):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
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
    found = checkpoint.load_checkpoint(tmp_path, said.append)
    assert said == [Said(f"checkpoint {newest.name} is damaged; resuming from the one before it", "warning")]
    assert found.position.total == int(before.name.removeprefix("step-"))
    assert checkpoint.checkpoints(tmp_path) == [before]
    if damage == "truncated":
        events = []
        resumed = engine(tmp_path, compares=True, emit=events.append)
        resumed.train()
        assert outcome(resumed) == whole
        (began,) = (event for event in events if isinstance(event, Began))
        assert began.done == int(before.name.removeprefix("step-"))


def test_where_no_checkpoint_is_whole_it_says_so_once(stopped, tmp_path):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
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


@pytest.mark.parametrize(
    ("number", "code", "step"),
    [(signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 9), (signal.SIGINT, 130, 17)],
)
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
