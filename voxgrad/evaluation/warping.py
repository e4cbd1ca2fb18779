"""Dynamic time warping: which frames of two sounds belong together."""

import numba
import numpy as np
from numpy.typing import NDArray


def warp(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find the path of least distance through two sequences (Sakoe & Chiba, 1978, symmetric steps, no window).

    Args:
        one: (frames, features).
        other: (other frames, features).

    Returns:
        (pairs, 2) indices of frames, from the first of both to the last of both; neither ever goes back.
    """
    squares = np.square(one).sum(1)[:, None] + np.square(other).sum(1)[None] - 2 * one @ other.T
    path: NDArray[np.int64] = _search(np.sqrt(np.maximum(squares, 0)).astype(np.float64))
    return path


@numba.njit(cache=True)
def _search(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(rows):
        for j in range(columns):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    path = np.empty((rows + columns - 1, 2), np.int64)
    i, j, place = rows, columns, len(path)
    while i > 0:
        place -= 1
        path[place] = i - 1, j - 1
        diagonal, up, left = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        if diagonal <= up and diagonal <= left:
            i, j = i - 1, j - 1
        elif up <= left:
            i -= 1
        else:
            j -= 1
    return path[place:]
