"""The dynamic programme of Monotonic Alignment Search, compiled by numba; see `voxgrad.model.monotonic_alignment`."""

import numba
import numpy as np
from numpy.typing import NDArray

_NEVER = np.float32(-1e9)  # the official code's log-likelihood of what cannot be


@numba.njit(cache=True, nogil=True)
def search_batch(
    value: NDArray[np.float32],
    token_lengths: NDArray[np.int64],
    frame_lengths: NDArray[np.int64],
    durations: NDArray[np.int64],
) -> None:
    """The durations of every utterance of a batch, written into ``durations``.

    Args:
        value: log-likelihoods (batch, frames, tokens).
        token_lengths: (batch,).
        frame_lengths: (batch,).
        durations: (batch, tokens), zeros.
    """
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
