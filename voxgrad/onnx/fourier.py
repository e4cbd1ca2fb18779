"""Short-time Fourier transforms by matrix products, for graphs that know neither complex numbers nor an FFT.

A transform of n = a·b points is done in two of a and of b (Cooley and Tukey, 1965): five times less work than one
product with an n by n matrix, and tables of a few kilobytes.
"""

import math

import torch
from torch import Tensor, nn

from voxgrad.settings import MelSpec
from voxgrad.vocoder.phase import EDGE, window_of


def factors(size: int) -> tuple[int, int]:
    """The two factors of a size that lie nearest to each other.

    >>> factors(1024), factors(600)
    ((32, 32), (24, 25))
    """
    small = next(one for one in range(math.isqrt(size), 0, -1) if size % one == 0)
    return small, size // small


class FourierTransform(nn.Module):
    """What `phase_reconstruction.stft` and ``istft`` do, on real and imaginary parts.

    Args:
        mel: sizes of the frames; its hop divides its n_fft.
    """

    window: Tensor
    inner: Tensor
    outer: Tensor
    twiddle: Tensor
    weight: Tensor

    def __init__(self, mel: MelSpec) -> None:
        super().__init__()
        self.hop, self.size = mel.hop_length, mel.n_fft
        self.bins = mel.n_fft // 2 + 1
        self.a, self.b = factors(mel.n_fft)
        window = window_of(mel, torch.device("cpu"))
        self.register_buffer("window", window)
        self.register_buffer("inner", _table(self.a))
        self.register_buffer("outer", _table(self.b))
        angles = _angles(self.size, self.b, self.a)
        self.register_buffer("twiddle", torch.stack((angles.cos(), -angles.sin())).float())
        weight = torch.full((self.bins,), 2.0 / self.size)
        weight[0] = 1.0 / self.size
        if self.size % 2 == 0:
            weight[-1] = 1.0 / self.size
        self.register_buffer("weight", weight)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """(frames * hop_length,) → real and imaginary parts, (frames, bins) each."""
        room = self.size - self.hop
        padded = nn.functional.pad(samples, (room // 2, room - room // 2)).reshape(-1, self.hop)
        parts = self.size // self.hop
        count = padded.shape[0] - parts + 1
        frames = torch.cat([padded[part : part + count] for part in range(parts)], 1) * self.window
        # n = b n1 + n2 and k = k1 + a k2.
        x = frames.reshape(-1, self.a, self.b).transpose(1, 2) @ self.inner[: self.a]  # (frames, n2, 2 k1)
        real, imaginary = x[..., : self.a], x[..., self.a :]
        c, s = self.twiddle[0], self.twiddle[1]
        turned = torch.cat((real * c - imaginary * s, real * s + imaginary * c), 1)  # (frames, 2 n2, k1)
        both = turned.transpose(1, 2) @ self.outer  # (frames, k1, 2 k2)
        real, imaginary = (
            one.transpose(1, 2).reshape(-1, self.size)[:, : self.bins]
            for one in (both[..., : self.b], both[..., self.b :])
        )
        return real, imaginary

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """The reverse: two of (frames, bins) → (frames * hop_length,)."""
        # The real part of the transform of twice the positive frequencies; k = a k2 + k1 and n = n1 + ... as above,
        # with time and frequency exchanged and the sign of every angle turned.
        room = (0, self.size - self.bins)
        real, imaginary = (
            nn.functional.pad(one * self.weight, room).reshape(-1, self.b, self.a).transpose(1, 2)
            for one in (real, -imaginary)
        )  # (frames, k1, k2) each, conjugated
        x = torch.cat((real, imaginary), 2) @ self.outer  # (frames, k1, 2 n2)
        real, imaginary = x[..., : self.b], x[..., self.b :]
        c, s = self.twiddle[0].T, self.twiddle[1].T
        turned = torch.cat((real * c - imaginary * s, real * s + imaginary * c), 1)  # (frames, 2 k1, n2)
        frames = turned.transpose(1, 2) @ self.inner[:, : self.a]  # (frames, n2, n1): the real part alone
        frames = frames.transpose(1, 2).reshape(-1, self.size) * self.window
        audio = self._added(frames) / self._added(
            torch.ones_like(frames[:, :1]) * self.window.square()
        ).clamp(min=EDGE)
        start = (self.size - self.hop) // 2
        return audio[start : audio.shape[0] - (self.size - self.hop - start)]

    def _added(self, frames: Tensor) -> Tensor:
        """Overlap-add: (frames, n_fft) → ((frames - 1) * hop_length + n_fft,)."""
        parts = self.size // self.hop
        blocks = frames.reshape(-1, parts, self.hop)
        total = sum(
            nn.functional.pad(blocks[:, part], (0, 0, part, parts - 1 - part)) for part in range(parts)
        )
        assert isinstance(total, Tensor)  # noqa: S101 - `sum` of at least one
        return total.reshape(-1)


def _angles(size: int, rows: int, columns: int) -> Tensor:
    """2π r c / size, in float64 so that large products keep their phase: (rows, columns)."""
    product = torch.arange(rows)[:, None] * torch.arange(columns)
    return (2 * math.pi / size) * (product % size).double()


def _table(size: int) -> Tensor:
    """[[cos, −sin], [sin, cos]]: real and imaginary parts, side by side, times it are those of the transform."""
    angles = _angles(size, size, size)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((torch.cat((cos, -sin), 1), torch.cat((sin, cos), 1))).float()
