"""Monotonic Alignment Search against brute force and against planted paths."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch

from voxgrad.errors import BadInputError
from voxgrad.model import mas
from voxgrad.model.frame_prior import expand


def brute_force(value: np.ndarray) -> tuple[float, list[tuple[int, ...]]]:
    """The best score of all monotonic alignments of (frames, tokens), and the durations that reach it."""
    frames, tokens = value.shape
    best, found = -np.inf, []
    for borders in combinations(range(1, frames), tokens - 1):
        edges = (0, *borders, frames)
        durations = tuple(b - a for a, b in pairwise(edges))
        score = value[np.arange(frames), np.repeat(np.arange(tokens), durations)].sum()
        if score > best + 1e-6:
            best, found = score, [durations]
        elif score > best - 1e-6:
            found.append(durations)
    return best, found


def search(value: np.ndarray) -> list[int]:
    frames, tokens = value.shape
    found = mas.search(torch.from_numpy(value)[None], torch.tensor([tokens]), torch.tensor([frames]))
    return found[0].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_equals_brute_force_on_small_grids(seed):
    rng = np.random.default_rng(seed)
    tokens = int(rng.integers(1, 6))
    frames = int(rng.integers(tokens, 11))
    value = rng.normal(size=(frames, tokens)).astype(np.float32)
    _, best = brute_force(value)
    assert tuple(search(value)) in best


def test_recovers_planted_paths():
    rng = np.random.default_rng(3)
    mu = torch.from_numpy(rng.normal(size=(4, 80, 30)).astype(np.float32))
    planted = torch.from_numpy(rng.integers(1, 9, size=(4, 30)))
    lengths = planted.sum(1)
    y = expand(mu, planted, int(lengths.max())) + 0.3 * torch.randn(4, 80, int(lengths.max()))
    found = mas.search(mas.log_prior(mu, y), torch.full((4,), 30), lengths)
    assert torch.equal(found, planted)


def test_padding_changes_no_alignment():
    rng = np.random.default_rng(5)
    value = torch.from_numpy(rng.normal(size=(2, 40, 12)).astype(np.float32))
    tokens, frames = torch.tensor([12, 7]), torch.tensor([40, 19])
    together = mas.search(value, tokens, frames)
    for row in range(2):
        alone = mas.search(
            value[row : row + 1, : frames[row], : tokens[row]], tokens[row : row + 1], frames[row : row + 1]
        )
        assert torch.equal(together[row, : tokens[row]], alone[0])
        assert together[row, tokens[row] :].sum() == 0
    noisy = value.clone()
    noisy[1, 19:] = 1e6
    noisy[1, :, 7:] = 1e6
    assert torch.equal(mas.search(noisy, tokens, frames), together)


def test_log_prior_differs_from_the_likelihood_by_a_constant_of_each_frame():
    generator = torch.Generator().manual_seed(1)
    mu, y = torch.randn(1, 80, 9, generator=generator), torch.randn(1, 80, 31, generator=generator)
    ours = mas.log_prior(mu, y)[0]
    normal = torch.distributions.Normal(mu[0].T[None], 1.0)
    whole = normal.log_prob(y[0].T[:, None]).sum(-1)
    assert (ours - whole - (ours - whole)[:, :1]).abs().max() < 1e-4


def test_fewer_frames_than_tokens_is_refused():
    with pytest.raises(BadInputError, match="too short for its text"):
        mas.search(torch.zeros(1, 3, 4), torch.tensor([4]), torch.tensor([3]))


def test_threads_find_the_same(monkeypatch):
    value = torch.randn(5, 60, 20, generator=torch.Generator().manual_seed(4))
    tokens, frames = torch.tensor([20, 11, 20, 3, 7]), torch.tensor([60, 40, 20, 55, 31])
    alone = mas.search(value, tokens, frames)
    monkeypatch.setattr(mas, "_WORTH_A_THREAD", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(mas.search(value, tokens, frames), alone)
