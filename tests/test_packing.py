"""Weights in 16 and 8 bits, and as the difference from those of a base."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from voxgrad.errors import IntegrityError
from voxgrad.packing import Packed, Weights, as_matrix, difference

RANDOM = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "values", [normal(40, 700), normal(300, 20, 5), 1e-6 * normal(2, 9000)], ids=["2", "3", "small"]
)
def test_sixteen_bits_are_as_near_as_they_say(values):
    largest = np.abs(values).reshape(len(values), -1).max(1)
    apart = np.abs(Packed.of(values).values - values).reshape(len(values), -1).max(1)
    assert (apart <= 1.01 * largest / 127 / 508 + 1e-30).all()
    rough = Packed.of(values, low=False)
    assert rough.low is None
    assert (np.abs(rough.values - values).reshape(len(values), -1).max(1) <= 1.01 * largest / 254).all()


def test_rows_of_zeros_and_extreme_values_stay_what_they_are():
    values = np.zeros((3, 6000), np.float32)
    values[1, 0], values[2] = 3e38, -1e-30
    found = Packed.of(values).values
    assert not found[0].any()
    assert found[1, 0] == pytest.approx(3e38, rel=1e-4)
    assert np.isfinite(found).all()


def test_a_convolution_is_the_matrix_of_its_product():
    weight, x = normal(4, 3, 5), normal(3, 20)
    windows = np.lib.stride_tricks.sliding_window_view(x, 5, axis=1)  # (in, positions, kernel)
    wanted = np.einsum("oik,ipk->op", weight, windows)
    rows = windows.transpose(1, 2, 0).reshape(16, -1)  # of every position (kernel, in), as the graph lays them
    np.testing.assert_allclose((rows @ as_matrix(weight).T).T, wanted, rtol=1e-4, atol=1e-4)


@pytest.fixture
def files(tmp_path):
    """A base, a voice that differs by rank 3 in one matrix, by anything in a vector, and not in the rest."""
    base = {"matrix": normal(200, 100), "same": normal(200, 100), "vector": normal(50), "count": np.arange(3)}
    voice = {**base, "matrix": base["matrix"] + 0.01 * normal(200, 3) @ normal(3, 100), "vector": normal(50)}
    for name, tensors in (("base", base), ("voice", voice)):
        save_file(tensors, tmp_path / name)
    return tmp_path


def test_a_difference_brings_the_voice_back(files):
    base, voice = Weights(files / "base"), Weights(files / "voice")
    tensors = difference(voice, base)
    assert {name.partition(":")[0] for name in tensors} == {"matrix", "vector"}
    assert sum(values.nbytes for values in tensors.values()) < 0.05 * (files / "voice").stat().st_size
    save_file(tensors, files / "difference")
    again = Weights(files / "difference", base)
    assert {*again} == {"matrix", "same", "vector", "count"}
    changed = np.abs(voice.floats("matrix") - base.floats("matrix")).max()
    assert np.abs(again.floats("matrix") - voice.floats("matrix")).max() < 0.03 * changed
    assert np.abs(again.floats("vector") - voice.floats("vector")).max() < 2e-3
    assert again["same"] is not None
    assert np.array_equal(again.integers("same").high, base.integers("same").high)
    assert not np.array_equal(again.integers("matrix").high, base.integers("matrix").high)


def test_rows_that_the_base_does_not_have(files):
    base = Weights(files / "base")
    more = {name: base.floats(name) for name in base if name != "count"} | {"count": np.arange(3)}
    more |= {"matrix": np.concatenate([more["matrix"], normal(4, 100)]), "vector": normal(53)}
    save_file(more, files / "more")
    tensors = difference(Weights(files / "more"), base)
    assert set(tensors) == {"matrix:rows", "vector:rows", "vector:added"}
    save_file(tensors, files / "difference")
    again = Weights(files / "difference", base)
    for name in ("matrix", "vector"):
        np.testing.assert_allclose(again.floats(name), more[name], atol=2e-3)


def test_low_halves_are_read_only_for_all_bits(files):
    packed = Packed.of(normal(200, 100))
    save_file(packed.parts("matrix"), files / "packed")
    weights = Weights(files / "packed")
    assert list(weights) == ["matrix"]
    assert np.array_equal(weights.floats("matrix"), packed.values)
    assert np.array_equal(weights.integers("matrix").high, packed.high)
    assert weights.integers("matrix").low is None


def test_no_more_than_the_rank_is_kept(files):
    tensors = difference(Weights(files / "voice"), Weights(files / "base"), rank=2)
    assert tensors["matrix:up"].shape == (2, 200)
    assert tensors["matrix:down"].shape == (2, 100)


def test_other_weights_and_damaged_files_are_refused(files):
    save_file({"matrix": normal(2, 2)}, files / "other")
    with pytest.raises(ValueError, match="other names"):
        difference(Weights(files / "other"), Weights(files / "base"))
    with pytest.raises(IntegrityError, match="has no weights"):
        Weights(files / "other").floats("vector")
    (files / "bad").write_bytes(b"nothing")
    with pytest.raises(IntegrityError, match="readable"):
        Weights(files / "bad")
