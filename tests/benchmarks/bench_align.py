"""Monotonic Alignment Search beside the official layout's loop: `make bench`, or run this file.

All variants take the same float32 tensors and include their conversions: the official wrapper copies the values to
a NumPy array, fills an int32 path of (batch, tokens, frames) in the official loop's order, and turns it back into a
tensor. The loop is measured twice, as numba compiles it and, where there is a C compiler, as C.
"""

import ctypes
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import torch

from voxgrad.model import mas

BATCH, TOKENS, FRAMES, REPEATS = 16, 200, 800, 15

C_LOOP = """
void search(float *value, int *path, const int *tx, const int *ty, int batch, int tokens, int frames) {
  for (int b = 0; b < batch; b++) {
    float *v = value + (long)b * tokens * frames; int *p = path + (long)b * tokens * frames;
    int nx = tx[b], ny = ty[b], index = nx - 1;
    for (int y = 0; y < ny; y++)
      for (int x = (nx + y - ny > 0 ? nx + y - ny : 0); x < (nx < y + 1 ? nx : y + 1); x++) {
        float stay = x == y ? -1e9f : v[x * frames + y - 1];
        float move = x == 0 ? (y == 0 ? 0.f : -1e9f) : v[(x - 1) * frames + y - 1];
        v[x * frames + y] += stay > move ? stay : move;
      }
    for (int y = ny - 1; y >= 0; y--) {
      p[index * frames + y] = 1;
      if (index != 0 && (index == y || v[index * frames + y - 1] < v[(index - 1) * frames + y - 1])) index--;
    }
  }
}
"""


@numba.njit(cache=False)
def plain_loop(value, path, token_lengths, frame_lengths):
    """The official loop, cell by cell in its own memory order."""
    for b in range(value.shape[0]):
        tokens, frames = token_lengths[b], frame_lengths[b]
        index = tokens - 1
        for y in range(frames):
            for x in range(max(0, tokens + y - frames), min(tokens, y + 1)):
                stay = np.float32(-1e9) if x == y else value[b, x, y - 1]
                start = np.float32(0.0) if y == 0 else np.float32(-1e9)
                move = start if x == 0 else value[b, x - 1, y - 1]
                value[b, x, y] += max(stay, move)
        for y in range(frames - 1, -1, -1):
            path[b, index, y] = 1
            if index != 0 and (index == y or value[b, index, y - 1] < value[b, index - 1, y - 1]):
                index -= 1


def official(loop, value, tokens, frames):
    """The official wrapper around a loop: copies in, path out."""
    array = value.numpy().astype(np.float32)
    path = np.zeros(array.shape, np.int32)
    loop(array, path, tokens.numpy().astype(np.int32), frames.numpy().astype(np.int32))
    return torch.from_numpy(path).float()


def compiled_loop():
    """The loop in C, or None where no compiler is found."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp())
    (folder / "loop.c").write_text(C_LOOP)
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", folder / "loop.so", folder / "loop.c"], check=True)
    library = ctypes.CDLL(str(folder / "loop.so"))

    def loop(value, path, token_lengths, frame_lengths):
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (value, path, token_lengths, frame_lengths)]
        library.search(*pointers, *value.shape)

    return loop


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    time_major = torch.randn(BATCH, FRAMES, TOKENS, generator=generator)
    official_major = time_major.transpose(1, 2).contiguous()
    tokens, frames = torch.full((BATCH,), TOKENS), torch.full((BATCH,), FRAMES)
    variants = {"voxgrad": lambda: mas.search(time_major, tokens, frames)}
    variants["official loop, numba"] = lambda: official(plain_loop, official_major, tokens, frames)
    if (loop := compiled_loop()) is not None:
        variants["official loop, C -O3"] = lambda: official(loop, official_major, tokens, frames)
    expected = mas.path(variants["voxgrad"](), FRAMES)
    for name, run in list(variants.items())[1:]:
        assert torch.equal(run(), expected), name
    seconds = {name: [] for name in variants}
    for _ in range(REPEATS):  # in turns, so that whatever else the machine does hits all alike
        for name, run in variants.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    ours = statistics.median(seconds["voxgrad"])
    print(f"MAS, {BATCH} x ({TOKENS} tokens x {FRAMES} frames), {torch.get_num_threads()} threads, median of {REPEATS}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"  {name:24} {1000 * median:8.2f} ms   {median / ours:6.1f} x voxgrad")


if __name__ == "__main__":
    sys.exit(main())
