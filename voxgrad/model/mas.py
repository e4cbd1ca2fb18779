"""Monotonic Alignment Search (Kim et al., Glow-TTS, 2020, algorithm 1): which token owns which mel frame.

The mel is taken as Gaussian around every token's mean, N(mu, I), because a path's likelihood then is a sum over
its cells, which dynamic programming maximises. Arrays are time-major, so that the inner loop runs over adjacent
tokens and vectorises; decisions are kept as bytes and come out as durations, never as a path of floats. Numba compiles
the programme at first use and caches it on disk.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxgrad.errors import BadInputError

_NEVER = np.float32(-1e9)  # the official code's log-likelihood of what cannot be
_WORTH_A_THREAD = 10_000_000  # cells; fewer are done before threads pay


def log_prior(mu_x: Tensor, y: Tensor) -> Tensor:
    """Log-likelihood of every frame under every token's N(mu, I), up to what cannot move the alignment.

    −½‖y − mu‖² = y·mu − ½‖mu‖² − ½‖y‖²; the last term and the constant are the same for all tokens of a frame, and
    every path covers every frame once, so both are left out. Means are (batch, n_feats, tokens), mels (batch, n_feats,
    frames), the result is (batch, frames, tokens), time-major.
    """
    return y.transpose(1, 2) @ mu_x - 0.5 * mu_x.square().sum(1)[:, None]


def log_likelihood(mu_y: Tensor, y: Tensor) -> float:
    """Mean over frames of log N(y; mu, I), the bands of a frame summed; both (n_feats, frames), without padding.

    >>> round(log_likelihood(torch.zeros(2, 3), torch.zeros(2, 3)), 4)  # two bands of −½ log 2π
    -1.8379
    """
    constant = 0.5 * len(y) * math.log(2.0 * math.pi)
    return float(-0.5 * (y - mu_y).square().sum(0).mean()) - constant


def search(value: Tensor, token_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
    """The durations of the most likely monotonic alignment that gives every token at least one frame.

    From log-likelihoods (batch, frames, tokens), whose padding is not read: (batch, tokens) int64, zero on padding.

    Raises:
        BadInputError: an utterance has fewer frames than tokens.
    """
    short = (frame_lengths < token_lengths).nonzero().flatten().tolist()
    if short or bool((token_lengths < 1).any()):
        raise BadInputError(
            f"utterance {short[0] if short else 0} of the batch is too short for its text",
            "Check that the transcript matches the recording.",
        )
    durations = np.zeros((value.shape[0], value.shape[2]), np.int64)
    values = np.ascontiguousarray(value.detach().float().cpu().numpy())
    tokens, frames = (lengths.cpu().numpy().astype(np.int64) for lengths in (token_lengths, frame_lengths))
    workers = min(torch.get_num_threads(), len(values)) if value.numel() >= _WORTH_A_THREAD else 1
    share = -(-len(values) // workers)

    def search_part(start: int) -> None:
        part = slice(start, start + share)
        _search_batch(values[part], tokens[part], frames[part], durations[part])

    if workers == 1:
        search_part(0)
    else:
        # Plain threads, since numba's own go on spinning for a while and take the processor from torch's.
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(search_part, range(0, len(values), share)))
    return torch.from_numpy(durations).to(value.device)


def path(durations: Tensor, frames: int) -> Tensor:
    """Durations as a path of ones: (batch, tokens) → (batch, tokens, frames) float32.

    >>> path(torch.tensor([[2, 1]]), 3).tolist()
    [[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    stop = durations.cumsum(1)[:, :, None]
    frame = torch.arange(frames, device=durations.device)
    return ((frame < stop) & (frame >= stop - durations[:, :, None])).float()


@numba.njit(cache=True, nogil=True)
def _search_batch(
    value: NDArray[np.float32],
    token_lengths: NDArray[np.int64],
    frame_lengths: NDArray[np.int64],
    durations: NDArray[np.int64],
) -> None:
    """Writes the durations of every utterance of a batch into (batch, tokens) zeros."""
    for item in range(value.shape[0]):
        _search_one(value[item], token_lengths[item], frame_lengths[item], durations[item])


@numba.njit(cache=True, nogil=True)
def _search_one(value: NDArray[np.float32], tokens: int, frames: int, durations: NDArray[np.int64]) -> None:
    moved = np.empty((frames, tokens), np.uint8)  # 1: the best path came from the token before
    # Element 0 stands for "before the first token", so that the inner loop has no branch.
    last = np.full(tokens + 1, _NEVER, np.float32)
    best = np.full(tokens + 1, _NEVER, np.float32)
    last[1] = value[0, 0]
    for frame in range(1, frames):
        first, stop = max(0, tokens + frame - frames), min(tokens, frame + 1)
        _advance(
            last[first + 1 : stop + 1],
            last[first:stop],
            value[frame, first:stop],
            best[first + 1 : stop + 1],
            moved[frame, first:stop],
        )
        last, best = best, last
    token = tokens - 1
    for frame in range(frames - 1, 0, -1):
        durations[token] += 1
        if token > 0 and (token == frame or moved[frame, token]):
            token -= 1
    durations[token] += 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _advance(
    stay: NDArray[np.float32],
    move: NDArray[np.float32],
    row: NDArray[np.float32],
    best: NDArray[np.float32],
    moved: NDArray[np.uint8],
) -> None:
    """One frame of the recurrence, over slices that count from 0: only so does the compiler vectorise it."""
    for token in range(len(row)):
        comes = move[token] > stay[token]
        moved[token] = comes
        best[token] = (move[token] if comes else stay[token]) + row[token]
