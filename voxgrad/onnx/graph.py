"""A voice as one graph: token ids → audio, for one utterance, in operators that ONNX has."""

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.acoustic_model import AcousticModel
from voxgrad.device import copy_with
from voxgrad.model.diffusion import FRAME_MULTIPLE, Condition
from voxgrad.model.gradtts import GradTTS, frame_prosody, predicted_durations
from voxgrad.model.postfilter import filtered
from voxgrad.onnx.fourier import FourierTransform
from voxgrad.settings import SynthesisSpec
from voxgrad.text.symbols import BLANK, CHARACTER_IDS, PUNCTUATION, SPACE
from voxgrad.vocoder.source_filter import (
    MOMENTUM,
    TINY,
    SourceFilterVocoder,
    correction_tables,
    envelope_table,
    excitation_noise,
)

_NOISE_FRAMES = 1024
"""Of noise inside a graph, after which it repeats: twelve seconds."""
_Module = TypeVar("_Module", bound=nn.Module)
_SHERPA_NOISE = 0.667
"""What sherpa-onnx gives as noise_scale unless it is told another."""


class PriorGraph(nn.Module):
    """Text encoder, durations, pitch and frame-level mean: everything of an acoustic model before the diffusion."""

    def __init__(self, model: GradTTS) -> None:
        super().__init__()
        self.model = with_products(model)

    def forward(
        self,
        tokens: Tensor,
        scale: Tensor,
        pitch: Tensor,
        rise: Tensor,
        pitch_range: Tensor,
        speaker: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Reads one text.

        Args:
            tokens: (1, tokens) int64.
            scale: (1,) float32 or (tokens,), factor of the predicted durations.
            pitch: (1,) float32 or (tokens,), semitones up.
            rise: (1,) float32 or (tokens,), how far a question rises, 0 to 1.
            pitch_range: (1,) float32, of the melody around the speaker's mean.
            speaker: (1,) int64, row of the speaker's embedding, in models of several.

        Returns:
            Durations (1, tokens) int64, mu (1, n_feats, frames), features (1, frames, frame_channels).
        """
        lengths = torch.zeros_like(tokens[:, 0]) + tokens.shape[1]
        prior = self.model.encode(tokens, lengths, speaker)
        durations = predicted_durations(prior, scale, "rounded")
        more = -durations.sum(1, keepdim=True) % FRAME_MULTIPLE
        durations = torch.cat((durations[:, :-1], durations[:, -1:] + more), 1)
        frames: Any = durations.sum()  # stays a tensor: a number would become a constant of the graph
        flat = torch.zeros_like(durations[0], dtype=torch.float32)
        prosody = frame_prosody(flat + pitch, flat + rise, durations, frames)
        condition = self.model.condition(prior, durations, frames, None, None, speaker, pitch_range, prosody)
        assert condition.features is not None  # noqa: S101 - a U-Net is refused before
        return durations, condition.mu, condition.features


class ScoreGraph(nn.Module):
    """The score network, asked once."""

    def __init__(self, model: GradTTS) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, t: Tensor, mu: Tensor, features: Tensor, speaker: Tensor | None = None) -> Tensor:
        """The score (1, n_feats, frames) of ``x`` at the time t, (1,); see `PriorGraph` for the rest."""
        condition = Condition(mu, speaker=self.model.speaker(speaker), features=features)
        return condition.score(self.model.decoder.estimator, x, t)


class SpeechGraph(nn.Module):
    """Acoustic model, unrolled sampler and vocoder.

    Args:
        acoustic: the voice.
        vocoder: what speaks its mel, (1, n_feats, frames) → samples.
        settings: sampler and steps; what the inputs say does not count.
    """

    def __init__(self, acoustic: AcousticModel, vocoder: nn.Module, settings: SynthesisSpec) -> None:
        super().__init__()
        self.prior, self.spec, self.settings = PriorGraph(acoustic.model), acoustic.spec, settings
        self.vocoder = vocoder

    def forward(
        self,
        tokens: Tensor,
        lengths: Tensor,
        speed: Tensor,
        pitch: Tensor,
        temperature: Tensor,
        noise: Tensor,
        rise: Tensor,
        speaker: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Speaks.

        Args:
            tokens: (1, tokens) int64.
            lengths: (1,) int64, how many of them count.
            speed: (1,) float32 or (tokens,), above 1 is faster.
            pitch: (1,) float32 or (tokens,), semitones up.
            temperature: (1,) float32, standard deviation of the noise.
            noise: (n,) float32, standard normal; repeated where n_feats times the frames are more.
            rise: (1,) float32 or (tokens,), how far a question rises, 0 to 1.
            speaker: (1,) int64, row of the speaker's embedding, in models of several.

        Returns:
            Samples (1, frames * hop_length), durations (1, tokens) int64, log-mel (1, n_feats, frames).
        """
        tokens, model = tokens[:, : lengths[0]], self.prior.model
        scale = (self.spec.duration_scale / speed.double()).float()
        durations, mu, features = self.prior(tokens, scale, pitch, rise, torch.ones_like(temperature), speaker)
        condition = Condition(mu, speaker=model.speaker(speaker), features=features)
        count = mu.shape[2] * self.spec.model.n_feats
        drawn = noise[torch.arange(count) % noise.shape[0]].reshape(1, self.spec.model.n_feats, -1)
        start = temperature * drawn + mu
        mel = model.decoder.sample(start, condition, self.settings, lambda: drawn)
        mel = filtered(mel, model.detail_gains(speaker), self.spec.model.postfilter).clamp(*self.spec.mel.range)
        return self.vocoder(mel).reshape(1, -1), durations, mel


class _Product(nn.Module):
    """A convolution over tokens as one product of matrices, which can be one of integers."""

    weight: Tensor

    def __init__(self, convolution: nn.Conv1d) -> None:
        super().__init__()
        (self.kernel,) = convolution.kernel_size
        self.register_buffer("weight", convolution.weight.detach().transpose(1, 2).flatten(1))
        self.bias = convolution.bias

    def forward(self, x: Tensor) -> Tensor:
        rows = F.pad(x.transpose(1, 2), (0, 0, self.kernel // 2, self.kernel // 2))
        last = self.kernel - 1
        if last:
            rows = torch.cat([rows[:, at : at - last or None] for at in range(self.kernel)], 2)
        return F.linear(rows, self.weight, self.bias).transpose(1, 2)


def with_products(model: _Module) -> _Module:
    """A copy of a model whose convolutions over all channels are products of matrices; weights are shared."""
    products = {
        id(layer): _Product(layer)
        for layer in model.modules()
        if isinstance(layer, nn.Conv1d) and layer.groups == 1 and layer.padding == (layer.kernel_size[0] // 2,)
    }
    return copy_with(model, products)


class SherpaGraph(nn.Module):
    """The same with the inputs of a VITS model, as sherpa-onnx gives them; one speaker, noise inside."""

    noise: Tensor
    marks: Tensor

    def __init__(self, graph: SpeechGraph, row: int) -> None:
        super().__init__()
        self.graph, self.row = graph, row
        frames = _NOISE_FRAMES * graph.spec.model.n_feats
        self.register_buffer("noise", torch.randn(frames, generator=torch.Generator().manual_seed(0)))
        self.register_buffer("marks", torch.tensor([1 + CHARACTER_IDS[mark] for mark in PUNCTUATION if mark != " "]))

    def forward(
        self, x: Tensor, x_length: Tensor, noise_scale: Tensor, length_scale: Tensor, noise_scale_w: Tensor
    ) -> Tensor:
        """Speaks.

        Args:
            x: (1, tokens) int64, ids plus 1, without blanks. sherpa-onnx puts a space after every word, before a
                mark too, and none after a mark; older versions drop a mark at the end. All of it is put right here.
            x_length: (1,) int64.
            noise_scale: (1,) float32; 0.667, its default, is the voice's own temperature.
            length_scale: (1,) float32, above 1 is slower.
            noise_scale_w: (1,) float32, without meaning here.

        Returns:
            Samples (1, samples).
        """
        x = x[:, : x_length[0]]
        space = 1 + SPACE
        # A space before a mark goes behind it.
        mark = self._marked(x)
        swapped = F.pad(mark, (0, 1))[:, 1:] * (x == space).long()  # a space that a mark follows
        moved = F.pad(swapped, (1, 0))[:, :-1]  # the mark that follows it
        following, before = F.pad(x, (0, 1))[:, 1:], F.pad(x, (1, 0))[:, :-1]
        x = x * (1 - swapped) * (1 - moved) + following * swapped + before * moved
        # Spaces at the end go, and a full stop comes where no mark is left.
        spoken = (x != space).long() * torch.arange(1, x.shape[1] + 1)
        count = spoken.max()
        bare = 1 - self._marked(x.gather(1, (count - 1).reshape(1, 1)))[0, 0]
        stop = torch.full_like(x[:, :1], 1 + CHARACTER_IDS["."])
        x = torch.cat((x[:, :count], stop), 1)[:, : count + bare]
        tokens = x - 1
        if self.graph.spec.text.add_blank:
            blanks = torch.full_like(tokens, BLANK)
            tokens = torch.cat((torch.stack((blanks, tokens), 2).reshape(1, -1), blanks[:, :1]), 1)
        own = self.graph.spec.model.temperature / _SHERPA_NOISE
        speaker = torch.full_like(x_length, self.row) if self.graph.spec.model.n_spks > 1 else None
        audio, _, _ = self.graph(
            tokens,
            torch.ones_like(x_length) * tokens.shape[1],
            1.0 / length_scale,
            torch.zeros_like(length_scale),
            noise_scale * own + 0.0 * noise_scale_w,
            self.noise,
            torch.zeros_like(length_scale),
            speaker,
        )
        return audio

    def _marked(self, x: Tensor) -> Tensor:
        """1 where a token is a mark: (1, n) int64 both ways."""
        return (x[:, :, None] == self.marks).any(2).long()


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
        pulses, noise = (self.fourier(signal) for signal in self._excitation(pitch))
        envelope = (mel @ self.envelope).exp()
        mixed = (voiced * share[0] + other * (1 - share[0]) for voiced, other in zip(pulses, noise, strict=True))
        envelope = envelope * self._correction(_modulus(*(part * envelope for part in mixed)), wanted, self.updates)
        pulses, noise = (tuple(part * envelope for part in parts) for parts in (pulses, noise))
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
        step = F.interpolate(pitch[:, None], scale_factor=float(self.mel.hop_length), mode="linear")[0, 0] / rate
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
