"""What the trainer keeps, when it stops, and what it says of failures. A regression stands for the model."""

import json
from copy import deepcopy

import pytest
import torch
from torch import nn

from tests.training.regression import FIRST, SETTINGS, Regression, engine
from voxgrad.errors import DivergedError, EnvironmentFailureError, ExitCode
from voxgrad.events import Said, ignore
from voxgrad.settings import StageSpec
from voxgrad.training import checkpoint
from voxgrad.training.optim import ProcessGroup, between, optimizer_step
from voxgrad.training.run import LOG


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
    held_out = [entry["held_out"]["distance"] for entry in told if "held_out" in entry and entry["step"] <= 30]
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


@pytest.mark.parametrize("shape", [(200, 100), (100, 40, 5)])
def test_a_change_may_be_of_low_rank(shape):
    generator = torch.Generator().manual_seed(0)
    start = {"matrix": torch.randn(shape, generator=generator), "bias": torch.zeros(9), "count": torch.tensor(1)}
    end = {"matrix": torch.randn(shape, generator=generator), "bias": torch.ones(9), "count": torch.tensor(2)}
    stage = StageSpec(train=("decoder",), steps=1, rank=7, interpolation=0.5)
    ended = between(start, end, stage)
    change = 2 * (ended["matrix"] - start["matrix"]).flatten(1)
    assert int(torch.linalg.matrix_rank(change, atol=1e-3)) == 7
    left, sizes, right = torch.linalg.svd((end["matrix"] - start["matrix"]).flatten(1), full_matrices=False)
    nearest = left[:, :7] * sizes[:7] @ right[:7]
    assert torch.allclose(change, nearest, atol=1e-3)
    assert ended["bias"].tolist() == [0.5] * 9
    assert ended["count"] == 2


def test_patience_ends_a_stage_early(tmp_path):
    still = StageSpec(train=("decoder",), steps=50, batch_size=2, learning_rate=1e-30)
    said = []
    settings = SETTINGS.model_copy(update={"patience": 3})
    one = engine(tmp_path, Regression((still, FIRST)), said.append, settings)
    one.train()
    # One validation sets the mark (at step 2); three more find nothing better.
    assert one.total == 8 + 9
    assert Said("stage 0 ends at step 8: no improvement since step 2") in said


def test_figures_from_before_the_first_step_are_kept_where_asked_for(tmp_path):
    one = engine(tmp_path / "a", compares=True)
    expected = Regression().validate(1)
    one.train()
    assert one.position.before == expected
    assert engine(tmp_path / "b").position.before is None


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
        optimizer_step(weight.sum() + float("inf"), [[weight]], torch.optim.SGD([weight], 1.0), 1.0, ProcessGroup())
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
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried"), FIRST, "stage 0", "batch_size=4."),
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
    with pytest.raises(EnvironmentFailureError, match="The disk is full: cannot save a checkpoint"):
        engine(tmp_path).train()
    assert list((tmp_path / "ckpt").iterdir()) == []
