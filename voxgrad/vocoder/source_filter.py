"""A feed-forward vocoder: pulses and noise, filtered frame by frame by a network (a source-filter model).

The excitation is that of the hn-NSF (Wang, Takaki and Yamagishi, 2019), with a pulse train for the harmonics: one
pulse a period of the pitch, which a small network reads off the mel, and white noise. A second network of ConvNeXt
blocks with an inverse Fourier transform as its head (Vocos: Siuzdak, 2023) does not make phases from nothing. It
filters: for every frame and bin a gain and a phase shift of the pulses, and a gain of the noise. What comes out is
moved to the mel once more by multiplicative updates, so that the level is right for voices new to the network.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.audio.mel import mel_filters
from voxgrad.model.convnext import ConvNeXtBlock
from voxgrad.settings import MelSpec, SourceFilterSpec
from voxgrad.vocoder.phase import blend, check_frames, istft, power, stft

_LOWEST, _HIGHEST = 50.0, 600.0  # Hz
_NEIGHBOURS = 4  # bins of pitch on each side of the likeliest, over which is averaged
_NOISE = 1 << 17  # samples, after which the noise repeats
_MOST_GAIN = 4.0
_MOST_REVISION = 2.0
MOMENTUM = 0.99
TINY = 1e-6
_MEL_SCALE = 0.25


class PitchEstimator(nn.Module):
    """Pitch and voicing of a mel: a distribution over bins of pitch, as in CREPE (Kim et al., 2018)."""

    centres: Tensor
    """ln Hz of the bins, (bins,)."""

    def __init__(self, spec: SourceFilterSpec, mel: MelSpec) -> None:
        super().__init__()
        self.enter = nn.Conv1d(mel.n_mels, spec.pitch_channels, 5, padding=2)
        self.blocks = nn.ModuleList(ConvNeXtBlock(spec.pitch_channels) for _ in range(spec.pitch_blocks))
        self.norm = nn.LayerNorm(spec.pitch_channels)
        self.head = nn.Linear(spec.pitch_channels, 1 + spec.pitch_bins)
        # By numpy, because torch.linspace on the ``meta`` device makes torch load sympy.
        centres = np.linspace(np.log(_LOWEST), np.log(_HIGHEST), spec.pitch_bins, dtype=np.float32)
        self.register_buffer("centres", torch.from_numpy(centres), persistent=False)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, n_mels, frames) → logits of voicing, (batch, frames), and of bins of pitch, (batch, frames, bins)."""
        # What the level is tells nothing of the pitch.
        level = log_mel.amax((1, 2), keepdim=True)
        x = self.enter((log_mel - level) * _MEL_SCALE).transpose(1, 2)
        for block in self.blocks:
            x = block(x, None)
        logits = self.head(self.norm(x)).float()
        return logits[..., 0], logits[..., 1:]

    def estimate(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Pitch in Hz, of unvoiced frames too, and the probability that a frame is voiced: (batch, frames) each."""
        voicing, logits = self(log_mel)
        likeliest = logits.argmax(-1, keepdim=True)
        bins = torch.arange(logits.shape[-1], device=logits.device)
        near = (bins - likeliest).abs() <= _NEIGHBOURS
        weights = logits.masked_fill(~near, -torch.inf).softmax(-1)
        return (weights @ self.centres).exp(), voicing.sigmoid()


class Filter(nn.Module):
    """Mel and pitch → gains and phase shifts of the excitation."""

    def __init__(self, spec: SourceFilterSpec, mel: MelSpec) -> None:
        super().__init__()
        self.bins = mel.n_fft // 2 + 1
        self.enter = nn.Linear(mel.n_mels + 2 + 2 * self.bins, spec.channels)
        self.enter_norm = nn.LayerNorm(spec.channels)
        self.blocks = nn.ModuleList(ConvNeXtBlock(spec.channels) for _ in range(spec.blocks))
        self.leave_norm = nn.LayerNorm(spec.channels)
        self.head = nn.Linear(spec.channels, 3 * self.bins)
        self.revision = nn.Linear(spec.channels, mel.n_mels) if spec.revise_mel else None
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.zeros_(self.head.bias)
        if self.revision is not None:
            nn.init.zeros_(self.revision.weight)
            nn.init.zeros_(self.revision.bias)

    def forward(
        self, log_mel: Tensor, pitch: Tensor, voicing: Tensor, pulses: Tensor, noise: Tensor, envelope: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Filter spectra of the pulses and the noise, complex (batch, frames, bins), multiplied by ``envelope`` first.

        Pitch, in Hz, and probabilities of voicing are (batch, frames). Returns the spectrum, and the mel that it should
        have; mels are (batch, frames, n_mels).
        """
        levels = (_modulus(spectrum) * envelope + TINY for spectrum in (pulses, noise))
        gain, turn, hiss, revised = self.controls(log_mel, pitch, voicing, *levels)
        # Real factors are joined before complex numbers are multiplied, which takes several times as long.
        gain, hiss = gain * envelope, hiss * envelope
        return pulses * torch.complex(gain * turn.cos(), gain * turn.sin()) + noise * hiss, revised

    def controls(
        self, log_mel: Tensor, pitch: Tensor, voicing: Tensor, pulses: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the filter does: the gain and phase shift of the pulses, the gain of the noise, and the revised mel.

        Arguments as of `forward`, but ``pulses`` and ``noise`` are magnitudes; (batch, frames, bins) each, but the
        mel, which is (batch, frames, n_mels).
        """
        shape = torch.stack((pitch.log() - np.log(200.0), voicing), -1)
        levels = [level.log() * _MEL_SCALE for level in (pulses, noise)]
        x = self.enter_norm(self.enter(torch.cat((log_mel * _MEL_SCALE, shape, *levels), -1)))
        for block in self.blocks:
            x = block(x, None)
        x = self.leave_norm(x)
        gain, turn, hiss = self.head(x).float().chunk(3, -1)
        # The noise fades where the pulses do not: most energy of speech is in one of the two.
        gain, hiss = (raw.clamp(-_MOST_GAIN, _MOST_GAIN).exp() for raw in (gain, hiss))
        voiced = voicing[..., None]
        if self.revision is not None:
            log_mel = log_mel + self.revision(x).float().clamp(-_MOST_REVISION, _MOST_REVISION)
        return gain * voiced, turn, hiss * (1.05 - voiced), log_mel


class SourceFilter(nn.Module):
    """Both networks."""

    def __init__(self, spec: SourceFilterSpec, mel: MelSpec) -> None:
        super().__init__()
        self.pitch = PitchEstimator(spec, mel)
        self.filter = Filter(spec, mel)


@dataclass(frozen=True, eq=False)
class SourceFilterVocoder:
    """A source-filter network with the settings that it was made with."""

    spec: SourceFilterSpec
    mel: MelSpec
    network: SourceFilter
    name: ClassVar = "source_filter"
    settings: ClassVar = SourceFilterSpec
    half_precision: ClassVar = True

    @classmethod
    def build(cls, spec: SourceFilterSpec, mel: MelSpec) -> Self:
        """Make one that is not trained yet.

        Raises:
            BadInputError: the frames cannot be added up.
        """
        check_frames(mel)
        return cls(spec, mel, SourceFilter(spec, mel).eval())

    def filtered(self, log_mel: Tensor, pitch: Tensor, voicing: Tensor, start: Tensor | None = None) -> Tensor:
        """The spectrum, complex (batch, frames, bins), differentiable in the filter's parameters, as for training.

        Pitch in Hz, positive in unvoiced frames too, and voicing, from 0 to 1, are (batch, frames). ``start``, (batch,)
        from 0 to 1, is where in the noise and in the first period each row begins; None: at 0.
        """
        mel = log_mel.transpose(1, 2).contiguous()
        wanted, share = mel.exp(), voicing[..., None]
        with torch.no_grad(), torch.autocast(mel.device.type, enabled=False):
            pulses, noise = (stft(signal, self.mel) for signal in excitation(pitch.float(), self.mel, start))
            envelope = (mel @ envelope_table(self.mel, mel.device)).exp()
            mixed = _modulus(pulses * share + noise * (1 - share)) * envelope
            envelope = envelope * _correction(mixed, wanted, self.mel, self.spec.updates)
        spectrum, revised = self.network.filter(mel, pitch, voicing, pulses, noise, envelope)
        with torch.autocast(mel.device.type, enabled=False):
            return self._consistent(spectrum, revised.exp())

    def training_spectrum(self, log_mel: Tensor, generator: torch.Generator) -> Tensor:
        """See `filtered`; pitch and voicing are estimated, and ``generator`` draws where the noise begins."""
        with torch.no_grad():
            pitch, voicing = self.network.pitch.estimate(log_mel)
        start = torch.rand(len(log_mel), generator=generator).to(log_mel.device)
        return self.filtered(log_mel, pitch, voicing, start)

    def learner(self, *, pitch: bool) -> nn.Module:
        """What a stage of training trains: the pitch estimator alone, or the filter."""
        return self.network.pitch if pitch else self.network.filter

    def _consistent(self, spectrum: Tensor, wanted: Tensor) -> Tensor:
        """Makes the frames agree with each other, and moves them back to the mel, ``iterations`` times."""
        before = None
        for _ in range(self.spec.iterations):
            consistent = stft(istft(spectrum, self.mel), self.mel)
            ahead = consistent if before is None else blend(before, consistent, 1 + MOMENTUM)
            before = consistent
            spectrum = ahead * _correction(_modulus(ahead), wanted, self.mel, 1)
        return spectrum

    @torch.inference_mode()
    def __call__(self, mel: Tensor) -> Tensor:
        """Speak (batch, n_mels, frames), which becomes (batch, frames * hop_length).

        The filter computes in the precision of the context. The pitch does not: half precision would move it by
        14 cents.
        """
        with torch.autocast(mel.device.type, enabled=False):
            pitch, voicing = self.network.pitch.estimate(mel)
        return istft(self.filtered(mel, pitch, voicing), self.mel)


def excitation(pitch: Tensor, mel: MelSpec, start: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Pulses, one a period, and white noise, both of power 1: Hz (batch, frames) → (batch, frames * hop_length) each.

    A pulse that falls between two samples is shared by them, so that the period is right on average. For ``start``, see
    :meth:`SourceFilterVocoder.filtered`.
    """
    batch, frames = pitch.shape
    length = frames * mel.hop_length
    step = F.interpolate(pitch[:, None], scale_factor=mel.hop_length, mode="linear")[:, 0] / mel.sample_rate
    phase = step.double().cumsum(1)
    if start is not None:
        phase = phase + start[:, None]
    whole = phase.floor()
    passed = (whole > F.pad(whole, (1, 0))[:, :-1]).float() * step.rsqrt()
    late = ((phase - whole) / step).float()  # samples since the pulse, from 0 to 1
    pulses = passed * (1 - late) + F.pad(passed * late, (0, 1))[:, 1:]
    where = torch.arange(length, device=pitch.device).expand(batch, -1)
    if start is not None:
        where = where + (start[:, None] * _NOISE).long()
    return pulses, excitation_noise(pitch.device)[where % _NOISE]


def _modulus(spectrum: Tensor) -> Tensor:
    """Magnitudes with a gradient at zero too."""
    return (power(spectrum) + TINY**2).sqrt()


def _correction(magnitudes: Tensor, wanted: Tensor, mel: MelSpec, updates: int) -> Tensor:
    """Factors that move magnitudes to a mel: Lee and Seung (2001), equation 5, ``updates`` times.

    Magnitudes are (batch, frames, bins), the linear mel is (batch, frames, n_mels).
    """
    filters, shares = correction_tables(mel, magnitudes.device)
    factors = torch.ones_like(magnitudes)
    for _ in range(updates):
        factors = factors * ((wanted / ((magnitudes * factors) @ filters.T + TINY)) @ shares)
    return factors


@lru_cache(maxsize=16)
def correction_tables(mel: MelSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mel filters, and the share of each band in what a bin is multiplied by: (n_mels, bins) each.

    Bins outside all filters go with the band next to them.
    """
    with torch.inference_mode(mode=False):
        filters = mel_filters(mel, device, torch.float32)
        shares = filters / filters.sum(0).clamp(min=1e-9)
        heard = (filters.sum(0) > 0).nonzero()[:, 0]
        shares[:, : int(heard[0])] = shares[:, heard[0], None]
        shares[:, int(heard[-1]) + 1 :] = shares[:, heard[-1], None]
        return filters, shares


@lru_cache(maxsize=16)
def envelope_table(mel: MelSpec, device: torch.device) -> Tensor:
    """Weights that interpolate a log-mel between the middles of its bands, for every bin: (n_mels, bins)."""
    with torch.inference_mode(mode=False):
        filters = mel_filters(mel, torch.device("cpu"), torch.float32).numpy()
        bins = np.arange(filters.shape[1])
        middles = (filters @ bins) / filters.sum(1).clip(1e-9)
        rows = [np.interp(bins, middles, row) for row in np.eye(mel.n_mels)]
        return torch.from_numpy(np.stack(rows).astype(np.float32)).to(device)


@lru_cache(maxsize=4)
def excitation_noise(device: torch.device) -> Tensor:
    """The same noise always, so that a mel always becomes the same audio: (_NOISE,)."""
    with torch.inference_mode(mode=False):
        return torch.from_numpy(np.random.default_rng(0).standard_normal(_NOISE, np.float32)).to(device)
