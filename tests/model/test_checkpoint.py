"""Checkpoints: read strictly or refused."""

import pytest
import torch
from torch import nn

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.model.checkpoint import build_strict, read_checkpoint, read_weights, save_weights


@pytest.fixture
def state():
    return nn.Linear(3, 2).state_dict()


def test_pickles_and_safetensors_come_back(tmp_path, state):
    torch.save(state, tmp_path / "model.pt")
    save_weights(tmp_path / "model.safetensors", state)
    for name in ("model.pt", "model.safetensors"):
        read = read_checkpoint(tmp_path / name)
        assert all(torch.equal(read[key], state[key]) for key in state)


def test_half_precision_comes_back_as_float32(tmp_path, state):
    save_weights(tmp_path / "half.safetensors", state, torch.float16)
    read = read_weights(tmp_path / "half.safetensors")
    assert all(read[key].dtype == torch.float32 for key in state)
    assert all((read[key] - state[key]).abs().max() < 1e-3 for key in state)


def test_a_missing_file_and_a_cut_one(tmp_path, state):
    with pytest.raises(BadInputError, match="no checkpoint"):
        read_checkpoint(tmp_path / "nowhere.pt")
    for name, save in (("a.pt", torch.save), ("b.safetensors", lambda s, p: save_weights(p, s))):
        save(state, tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-20])
        with pytest.raises(BadInputError):
            read_checkpoint(tmp_path / name)
    with pytest.raises(IntegrityError):
        read_weights(tmp_path / "b.safetensors")


def linear(weights):
    return build_strict(lambda: nn.Linear(3, 2), weights, "it")


def test_exact_names_shapes_and_finite_numbers(state):
    module = linear(state)
    assert torch.equal(module.weight, state["weight"])
    with pytest.raises(BadInputError, match="misses bias"):
        linear({"weight": state["weight"]})
    with pytest.raises(BadInputError, match="unknown extra"):
        linear({**state, "extra": state["bias"]})
    with pytest.raises(BadInputError, match=r"weight is \(3, 2\) where \(2, 3\)"):
        linear({**state, "weight": state["weight"].T})
    with pytest.raises(BadInputError, match="bias is not a tensor"):
        linear({**state, "bias": 3})
    with pytest.raises(BadInputError, match="not finite"):
        linear({**state, "bias": torch.tensor([1.0, float("nan")])})
