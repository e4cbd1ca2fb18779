"""Monotonic Alignment Search for recordings of an hour: only near where every frame's token is expected."""

from collections.abc import Iterable, Iterator

import numba
import numpy as np
from numpy.typing import NDArray

_NEVER = np.float32(-1e30)

Floats = NDArray[np.float32]


def search_band(blocks: Iterable[tuple[int, Floats]], tokens: int) -> NDArray[np.int64]:
    """Finds the most likely monotonic alignment that keeps to a band.

    The recurrence is that of `voxgrad.model.monotonic_alignment.search`; a block of frames sees only the tokens of its
    own part of the band, so that memory grows with the recording's length and not with its square.

    Args:
        blocks: first token, and log-likelihoods (frames, width) of the tokens from there on, one after another. The
            first token never falls and never rises beyond the end of the band before; all have one width, or all
            tokens where these are fewer.
        tokens: of the text.

    Returns:
        (all frames,) the token of every frame: 0 at first, tokens - 1 at last, never falling, none left out.
    """
    lows: list[int] = []
    decisions: list[NDArray[np.uint8]] = []
    last = np.full(0, _NEVER, np.float32)
    for low, value in blocks:
        width = value.shape[1]
        moved = np.zeros(value.shape, np.uint8)
        if not lows:
            last, before = np.full(width, _NEVER, np.float32), np.float32(0)  # from where every path begins
        else:
            shift = low - lows[-1]
            before = last[shift - 1] if shift > 0 else _NEVER
            last = np.concatenate([last[shift:], np.full(shift, _NEVER, np.float32)])[:width]
        _advance_block(last, before, np.ascontiguousarray(value), moved)
        lows.append(low)
        decisions.append(moved)
    return np.concatenate(list(_traced(lows, decisions, tokens))[::-1])


def _traced(lows: list[int], decisions: list[NDArray[np.uint8]], tokens: int) -> Iterator[NDArray[np.int64]]:
    """The tokens of the blocks' frames, the last block first."""
    token = tokens - 1
    for low, moved in zip(reversed(lows), reversed(decisions), strict=True):
        path = np.empty(len(moved), np.int64)
        token = _trace_block(moved, low, token, path)
        yield path


@numba.njit(cache=True, nogil=True)
def _advance_block(last: Floats, before: np.float32, value: Floats, moved: NDArray[np.uint8]) -> None:
    """``last`` becomes the best score of every token at the block's last frame; ``before``: of the token left of it."""
    width = value.shape[1]
    for frame in range(value.shape[0]):
        left = before if frame == 0 else _NEVER
        for token in range(width):
            stay = last[token]
            comes = left > stay
            moved[frame, token] = comes
            last[token] = (left if comes else stay) + value[frame, token]
            left = stay


@numba.njit(cache=True, nogil=True)
def _trace_block(moved: NDArray[np.uint8], low: int, token: int, path: NDArray[np.int64]) -> int:
    """Writes the block's path from its last frame on, and returns the token that the frame before it has."""
    for frame in range(moved.shape[0] - 1, -1, -1):
        token = max(token, low)
        path[frame] = token
        if token - low < moved.shape[1] and moved[frame, token - low]:
            token -= 1
    return token
