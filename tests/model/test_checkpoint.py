"""Checkpoints: read strictly or refused."""

import pytest
import torch
from torch import nn

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.model.checkpoint import build_strict, read_weights, save_weights


@pytest.fixture
def state():
    return nn.Linear(3, 2).state_dict()


def test_half_precision_comes_back_as_float32(tmp_path, state):
    save_weights(tmp_path / "half.safetensors", state, torch.float16)
    read = read_weights(tmp_path / "half.safetensors")
    assert all(read[key].dtype == torch.float32 for key in state)
    assert all((read[key] - state[key]).abs().max() < 1e-3 for key in state)


def test_a_cut_file_is_damaged(tmp_path, state):
    save_weights(tmp_path / "a.safetensors", state)
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-20])
    with pytest.raises(IntegrityError):
        read_weights(tmp_path / "a.safetensors")


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
