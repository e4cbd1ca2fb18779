"""The source-filter vocoder on real numbers, for one utterance: the same function, in operators that ONNX has."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.onnx.fourier import FourierTransform
from voxgrad.vocoder.source_filter import (
    MOMENTUM,
    TINY,
    SourceFilterVocoder,
    correction_tables,
    envelope_table,
    excitation_noise,
)


class VocoderGraph(nn.Module):
    """A log-mel (1, n_mels, frames) → samples (frames * hop_length,)."""

    noise: Tensor
    filters: Tensor
    shares: Tensor
    envelope: Tensor

    def __init__(self, vocoder: SourceFilterVocoder) -> None:
        super().__init__()
        self.network, self.mel = vocoder.network, vocoder.mel
        self.updates, self.iterations = vocoder.spec.updates, vocoder.spec.iterations
        self.fourier = FourierTransform(vocoder.mel)
        cpu = torch.device("cpu")
        filters, shares = correction_tables(vocoder.mel, cpu)
        self.register_buffer("filters", filters.T.contiguous())
        self.register_buffer("shares", shares)
        self.register_buffer("envelope", envelope_table(vocoder.mel, cpu))
        self.register_buffer("noise", excitation_noise(cpu))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Speaks one utterance."""
        pitch, voicing = self.network.pitch.estimate(log_mel)
        mel = log_mel.transpose(1, 2)
        wanted, share = mel.exp(), voicing[..., None]
        pulses, noise = (self.fourier(one) for one in self._excitation(pitch))
        envelope = (mel @ self.envelope).exp()
        mixed = (one * share[0] + other * (1 - share[0]) for one, other in zip(pulses, noise, strict=True))
        envelope = envelope * self._correction(
            _modulus(*(part * envelope for part in mixed)), wanted, self.updates
        )
        pulses, noise = (tuple(part * envelope for part in one) for one in (pulses, noise))
        gain, turn, hiss, revised = self.network.filter.controls(
            mel, pitch, voicing, _modulus(*pulses), _modulus(*noise)
        )
        (pulse, pulse_i), (white, white_i) = pulses, noise
        cos, sin = gain * turn.cos(), gain * turn.sin()
        real = pulse * cos - pulse_i * sin + white * hiss
        imaginary = pulse * sin + pulse_i * cos + white_i * hiss
        return self._consistent(real[0], imaginary[0], revised.exp())

    def _consistent(self, real: Tensor, imaginary: Tensor, wanted: Tensor) -> Tensor:
        """See `SourceFilterVocoder._consistent`; (frames, bins) each."""
        before: tuple[Tensor, Tensor] | None = None
        for _ in range(self.iterations):
            here = self.fourier(self.fourier.inverse(real, imaginary))
            real, imaginary = here
            if before is not None:
                real = real + MOMENTUM * (real - before[0])
                imaginary = imaginary + MOMENTUM * (imaginary - before[1])
            before = here
            factors = self._correction(_modulus(real, imaginary)[None], wanted, 1)[0]
            real, imaginary = real * factors, imaginary * factors
        return self.fourier.inverse(real, imaginary)

    def _excitation(self, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """Pulses and noise, (samples,) each; see `source_filter.excitation`."""
        rate = self.mel.sample_rate
        step = (
            F.interpolate(pitch[:, None], scale_factor=float(self.mel.hop_length), mode="linear")[0, 0] / rate
        )
        phase = step.double().cumsum(0)
        whole = phase.floor()
        passed = (whole > F.pad(whole, (1, 0))[:-1]).float() * step.rsqrt()
        late = ((phase - whole) / step).float()
        pulses = passed * (1 - late) + F.pad(passed * late, (0, 1))[1:]
        where = torch.arange(step.shape[0]) % len(self.noise)
        return pulses, self.noise[where]

    def _correction(self, magnitudes: Tensor, wanted: Tensor, updates: int) -> Tensor:
        """See `source_filter._correction`."""
        factors = torch.ones_like(magnitudes)
        for _ in range(updates):
            factors = factors * ((wanted / ((magnitudes * factors) @ self.filters + TINY)) @ self.shares)
        return factors


def _modulus(real: Tensor, imaginary: Tensor) -> Tensor:
    return (real.square() + imaginary.square() + TINY**2).sqrt()
