"""A small vocoder for processors: a few iterations of phase reconstruction, corrected by a network at frame rate.

The network is that of Vocos (Siuzdak, 2023): ConvNeXt blocks on frames, an inverse Fourier transform as the
head. Vocos makes magnitudes and phases from nothing, for which it needs millions of steps. Here it is shown a
spectrum that already nearly fits (see `voxgrad.vocoder.phase`) and only says how to change it, frame by
frame: a gain and a turn for every bin. Where a voice is new to the network, the search still knows what to do.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import pi
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.errors import BadInputError
from voxgrad.settings import ISTFTSpec, MelSpec
from voxgrad.vocoder.phase import (
    PhaseEstimate,
    check_frames,
    istft,
    modulus,
    reach,
    reconstruct_phase,
    zero_phase_spectrum,
)

_SOFT = 1e-4
_QUIET = 1e-3  # below it a phase is mostly noise, of rounding even in digital silence
_MOST_GAIN = 3.0
_MEL_SCALE = 0.25


class Block(nn.Module):
    """A ConvNeXt block (Liu et al., 2022, figure 4) in one dimension: (batch, frames, channels) both ways."""

    def __init__(self, spec: ISTFTSpec) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(
            spec.channels, spec.channels, spec.kernel, padding=spec.kernel // 2, groups=spec.channels
        )
        self.norm = nn.LayerNorm(spec.channels)
        self.widen = nn.Linear(spec.channels, spec.hidden)
        self.narrow = nn.Linear(spec.hidden, spec.channels)
        self.scale = nn.Parameter(torch.full((spec.channels,), 1.0 / spec.blocks))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, channels) both ways."""
        mixed = self.norm(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        return x + self.scale * self.narrow(F.gelu(self.widen(mixed)))


class Corrector(nn.Module):
    """Feature → backbone → head: what a search has found → a better spectrum."""

    def __init__(self, spec: ISTFTSpec, mel: MelSpec) -> None:
        super().__init__()
        self.mel = mel
        bins = mel.n_fft // 2 + 1
        self.enter = nn.Linear(mel.n_mels + 6 * bins, spec.channels)
        self.enter_norm = nn.LayerNorm(spec.channels)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.blocks))
        self.leave_norm = nn.LayerNorm(spec.channels)
        self.head = nn.Linear(spec.channels, 2 * bins)
        # It begins by changing nothing.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, found: PhaseEstimate, log_mel: Tensor) -> Tensor:
        """Correct a spectrum of a mel (batch, n_mels, frames): complex (batch, frames, bins)."""
        x = self.enter_norm(self.enter(self._features(found, log_mel)))
        for block in self.blocks:
            x = block(x)
        gain, turn = self.head(self.leave_norm(x)).float().chunk(2, -1)
        gain = gain.clamp(-_MOST_GAIN, _MOST_GAIN).exp()
        return found.spectrum * torch.complex(gain * turn.cos(), gain * turn.sin())

    def _features(self, found: PhaseEstimate, log_mel: Tensor) -> Tensor:
        """Nothing here depends on the absolute phase, so that a delay or a turn of the sound changes nothing."""
        loudness = (modulus(found.spectrum) + _SOFT).log()
        consistent = modulus(found.consistent)
        unit = found.consistent / (consistent + _QUIET)
        across = unit * F.pad(unit, (1, 0))[..., :-1].conj()  # group delay
        along = unit * F.pad(unit, (0, 0, 1, 0))[:, :-1].conj()  # instantaneous frequency
        bins = torch.arange(unit.shape[-1], device=unit.device)
        advance = 2 * pi * self.mel.hop_length / self.mel.n_fft * bins
        along = along * torch.complex(advance.cos(), -advance.sin())
        lost = (consistent + _SOFT).log() - loudness
        parts = (loudness * _MEL_SCALE, lost, across.real, across.imag, along.real, along.imag)
        return torch.cat((log_mel.transpose(1, 2) * _MEL_SCALE, *parts), -1)


@dataclass(frozen=True, eq=False)
class ISTFTVocoder:
    """A corrector with the settings that it was made with."""

    spec: ISTFTSpec
    mel: MelSpec
    network: Corrector
    name: ClassVar = "istft"
    settings: ClassVar = ISTFTSpec
    half_precision: ClassVar = False

    @classmethod
    def build(cls, spec: ISTFTSpec, mel: MelSpec) -> Self:
        """Make one with a network that changes nothing yet.

        Raises:
            BadInputError: the frames cannot be added up.
        """
        check_frames(mel)
        return cls(spec, mel, Corrector(spec, mel).eval())

    @property
    def context(self) -> int:
        """How many frames on each side a frame of the audio depends on."""
        iterations = self.spec.iterations + self.spec.final_iterations
        backbone = self.spec.blocks * (self.spec.kernel // 2)
        return reach(self.mel) * (iterations + 1) + 1 + backbone

    def corrected(self, log_mel: Tensor) -> Tensor:
        """The spectrum as the network leaves it, differentiable in its parameters, which training looks at.

        (batch, n_mels, frames) → complex (batch, frames, bins).
        """
        # The network alone may compute in half precision: the search would end elsewhere.
        with torch.no_grad(), torch.autocast(log_mel.device.type, enabled=False):
            found = reconstruct_phase(zero_phase_spectrum(log_mel, self.mel), log_mel, self.mel, self.spec.iterations)
        corrected: Tensor = self.network(found, log_mel)
        return corrected

    def training_spectrum(self, log_mel: Tensor, generator: torch.Generator) -> Tensor:
        """See `corrected`; nothing is drawn."""
        del generator
        return self.corrected(log_mel)

    def learner(self, *, pitch: bool) -> nn.Module:
        """What a stage of training trains.

        Raises:
            BadInputError: the stage is for a pitch estimator.
        """
        if pitch:
            raise BadInputError(
                "a vocoder of the kind istft estimates no pitch", "Leave out the stages with pitch: true."
            )
        return self.network

    @torch.inference_mode()
    def __call__(self, mel: Tensor) -> Tensor:
        """Speak (batch, n_mels, frames), which becomes (batch, frames * hop_length)."""
        spectrum = self.corrected(mel)
        with torch.autocast(mel.device.type, enabled=False):
            if self.spec.final_iterations:
                spectrum = reconstruct_phase(spectrum, mel, self.mel, self.spec.final_iterations).spectrum
            return istft(spectrum, self.mel)

    def stream(self, mels: Iterable[Tensor]) -> Iterator[Tensor]:
        """Speak a mel while it comes, (batch, n_mels, some frames) each time; together the same audio as in one piece.

        Yields:
            (batch, samples): what is settled, ``context`` frames behind the last that came.
        """
        held, spoken, hop = None, 0, self.mel.hop_length  # spoken: frames at the start of held
        for piece in mels:
            held = piece if held is None else torch.cat((held, piece), -1)
            settled = held.shape[-1] - self.context
            if settled > spoken:
                yield self(held)[:, spoken * hop : settled * hop]
                surplus = max(settled - self.context, 0)
                held, spoken = held[..., surplus:], settled - surplus
        if held is not None and held.shape[-1] > spoken:
            yield self(held)[:, spoken * hop :]
