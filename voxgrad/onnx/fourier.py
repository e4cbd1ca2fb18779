"""Short-time Fourier transforms as products of real matrices, for graphs: ONNX has no operators of complex numbers."""

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
    small = next(divisor for divisor in range(math.isqrt(size), 0, -1) if size % divisor == 0)
    return small, size // small


class FourierTransform(nn.Module):
    """What `phase_reconstruction.stft` and ``istft`` do, on real and imaginary parts.

    Args:
        mel: sizes of the frames; its hop divides its n_fft.
    """

    window: Tensor
    inner: Tensor
    outer: Tensor
    outer_inverse: Tensor
    twiddle: Tensor
    weight: Tensor
    power: Tensor

    def __init__(self, mel: MelSpec) -> None:
        super().__init__()
        self.hop, self.size = mel.hop_length, mel.n_fft
        self.bins = mel.n_fft // 2 + 1
        self.a, self.b = factors(mel.n_fft)
        window = window_of(mel, torch.device("cpu"))
        self.register_buffer("window", window)
        # Of the spectrum of real samples, half of the columns is enough.
        self.columns = -(-self.bins // self.a)
        outer = _table(self.b)
        kept = [*range(self.columns), *range(self.b, self.b + self.columns)]
        self.register_buffer("inner", _table(self.a))
        self.register_buffer("outer", outer[:, kept].contiguous())
        self.register_buffer("outer_inverse", outer[kept].contiguous())
        angles = _angles(self.size, self.b, self.a)
        self.register_buffer("twiddle", torch.stack((angles.cos(), -angles.sin())).float())
        weight = torch.full((self.bins,), 2.0 / self.size)
        weight[0] = 1.0 / self.size
        if self.size % 2 == 0:
            weight[-1] = 1.0 / self.size
        self.register_buffer("weight", weight)
        squares = window.double().square().reshape(-1, self.hop)
        self.register_buffer("power", nn.functional.pad(squares.cumsum(0), (0, 0, 1, 0)).float())

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
            part.transpose(1, 2).reshape(-1, self.columns * self.a)[:, : self.bins]
            for part in (both[..., : self.columns], both[..., self.columns :])
        )
        return real, imaginary

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """The reverse: two of (frames, bins) → (frames * hop_length,)."""
        # The real part of the transform of twice the positive frequencies; k = a k2 + k1 and n = n1 + ... as above,
        # with time and frequency exchanged and the sign of every angle turned.
        room = (0, self.columns * self.a - self.bins)
        real, imaginary = (
            nn.functional.pad(part * self.weight, room).reshape(-1, self.columns, self.a).transpose(1, 2)
            for part in (real, -imaginary)
        )  # (frames, k1, k2) each, conjugated
        x = torch.cat((real, imaginary), 2) @ self.outer_inverse  # (frames, k1, 2 n2)
        real, imaginary = x[..., : self.b], x[..., self.b :]
        c, s = self.twiddle[0].T, self.twiddle[1].T
        turned = torch.cat((real * c - imaginary * s, real * s + imaginary * c), 1)  # (frames, 2 k1, n2)
        frames = turned.transpose(1, 2) @ self.inner[:, : self.a]  # (frames, n2, n1): the real part alone
        frames = frames.transpose(1, 2).reshape(-1, self.size) * self.window
        audio = self._added(frames)
        start = (self.size - self.hop) // 2
        return audio[start : audio.shape[0] - (self.size - self.hop - start)]

    def _added(self, frames: Tensor) -> Tensor:
        """Overlap-add, over the power of the windows: (frames, n_fft) → ((frames - 1) * hop_length + n_fft,)."""
        parts, count = self.size // self.hop, frames.shape[0]
        blocks = frames.reshape(-1, parts, self.hop)
        total = sum(nn.functional.pad(blocks[:, part], (0, 0, part, parts - 1 - part)) for part in range(parts))
        assert isinstance(total, Tensor)  # noqa: S101 - `sum` of at least one
        # The blocks of windows that reach into each block of the sum: all of them, but at both ends.
        at = torch.arange(count + parts - 1)
        power = self.power[(at + 1).clamp(max=parts)] - self.power[(at + 1 - count).clamp(min=0)]
        return (total / power.clamp(min=EDGE)).reshape(-1)


def _angles(size: int, rows: int, columns: int) -> Tensor:
    """2π r c / size, in float64 so that large products keep their phase: (rows, columns)."""
    product = torch.arange(rows)[:, None] * torch.arange(columns)
    return (2 * math.pi / size) * (product % size).double()


def _table(size: int) -> Tensor:
    """[[cos, −sin], [sin, cos]]: real and imaginary parts, side by side, times it are those of the transform."""
    angles = _angles(size, size, size)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((torch.cat((cos, -sin), 1), torch.cat((sin, cos), 1))).float()
