"""Grad-TTS: text encoder, alignment and diffusion in one module that loads official checkpoints strictly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxgrad.device import autocast
from voxgrad.model.convnext import ConvNeXtScore
from voxgrad.model.diffusion import (
    FRAME_MULTIPLE,
    Condition,
    Diffusion,
    length_mask,
    official_extent,
    padded_length,
)
from voxgrad.model.encoder import TextEncoder
from voxgrad.model.frame_prior import FramePrior, Pitch, expand, frame_positions, gather_tokens
from voxgrad.model.postfilter import filtered
from voxgrad.settings import ModelSpec, SynthesisSpec


@dataclass(frozen=True, slots=True)
class Prior:
    """What the encoder says of a batch of texts."""

    mu_x: Tensor
    """(batch, n_feats, tokens), the mean mel frame of every token."""
    logw: Tensor
    """(batch, tokens), the logarithm of its frames."""
    mask: Tensor
    """(batch, 1, tokens)."""
    hidden: Tensor
    """(batch, inner, tokens), what both are made from."""


@dataclass(frozen=True, slots=True)
class TokenProsody:
    """How the tokens of one text are spoken, where that was asked for."""

    rate: Tensor
    """(tokens,), factor of the speed."""
    semitones: Tensor
    """(tokens,), raised by, in models that predict pitch."""
    rise: Tensor
    """(tokens,), how much of the way the predicted pitch goes to `QUESTION_END`, 0 to 1."""


@dataclass(frozen=True, slots=True)
class FrameProsody:
    """The same by frame; see `frame_prosody`."""

    raised: Tensor
    """(batch, frames), added to ln F0."""
    rise: Tensor
    """(batch, frames), 0 to 1."""


@dataclass(frozen=True, slots=True)
class Performance:
    """How somebody spoke the tokens of one text in a recording: what a conversion takes over."""

    durations: Tensor
    """(tokens,) frames of every token in the recording."""
    scores: Tensor
    """(frames,) z-scores of ln F0 among the recording's own, 0 where not voiced."""
    voiced: Tensor
    """(frames,) bool."""
    timing: bool
    """Take over the durations."""
    melody: float
    """Share of the recording's pitch in what is spoken, 0 to 1; the rest is what the model predicts."""

    def source_frames(self, token: Tensor, position: Tensor) -> Tensor:
        """The recording's frame for every frame of the synthesis; arguments as of `frame_positions` returned."""
        starts = self.durations.cumsum(0) - self.durations
        inside = (position[..., 0] * self.durations[token]).floor().long()
        return (starts[token] + inside).clamp(max=len(self.scores) - 1)

    def melody_on(self, token: Tensor, position: Tensor, scores: Tensor, voicing: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted z-scores and logits of voicing (batch, frames), with the recording's in their place."""
        at = self.source_frames(token, position)
        voiced = self.voiced[at]
        mixed = self.melody * self.scores[at] + (1 - self.melody) * scores
        return torch.where(voiced, mixed, scores), voiced.to(voicing.dtype) - 0.5


@dataclass(frozen=True, slots=True)
class Synthesis:
    """Speech as a mel."""

    mel: Tensor
    """(batch, n_feats, frames)."""
    mu_y: Tensor
    """The prior mean it was drawn around, same shape."""
    durations: Tensor
    """(batch, tokens) frames of every token."""
    lengths: Tensor
    """(batch,) frames of every utterance."""


class GradTTS(nn.Module):
    """The acoustic model."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        if spec.n_spks > 1:
            self.spk_emb = nn.Embedding(spec.n_spks, spec.spk_emb_dim)
        self.encoder = TextEncoder(spec)
        self.frame_prior = FramePrior(spec, self.encoder.inner) if spec.decoder == "convnext" else None
        self.decoder = Diffusion(spec, _score_network(spec))

    def speaker(self, speakers: Tensor | None) -> Tensor | None:
        """Embeds speaker ids (batch,) → (batch, spk_emb_dim); None in a one-speaker model."""
        if self.spec.n_spks == 1:
            return None
        if speakers is None:
            raise ValueError("a multi-speaker model needs speaker ids")
        return self.spk_emb(speakers)

    def detail_gains(self, speakers: Tensor | None) -> Tensor | None:
        """The postfilter's gains for speaker ids (batch,): (batch, n_feats); None without a frame-level mean."""
        if self.frame_prior is None:
            return None
        return self.frame_prior.detail_gains[:1] if speakers is None else self.frame_prior.detail_gains[speakers]

    def encode(self, tokens: Tensor, lengths: Tensor, speakers: Tensor | None = None) -> Prior:
        """Encodes padded texts: (batch, tokens) ids, (batch,) lengths, (batch,) speaker ids or None."""
        mask = length_mask(lengths, tokens.shape[1])
        mu_x, logw, hidden = self.encoder(tokens, mask, self.speaker(speakers))
        return Prior(mu_x.float(), logw.squeeze(1).float(), mask, hidden)

    @torch.no_grad()
    def align(self, prior: Prior, y: Tensor, frame_lengths: Tensor) -> Tensor:
        """Durations (batch, tokens) of the best alignment of mels (batch, n_feats, frames)."""
        # Only here, because numba takes a third of a second to load, and speaking needs no search.
        from voxgrad.model import mas  # noqa: PLC0415

        token_lengths = prior.mask.sum((1, 2)).long()
        with torch.autocast(y.device.type, enabled=False):  # half precision would move borders
            value = mas.log_prior(prior.mu_x, y)
        return mas.search(value, token_lengths, frame_lengths)

    @torch.no_grad()  # in inference mode, autocast would round the weights anew in every step
    def synthesize(
        self,
        tokens: Tensor,
        lengths: Tensor,
        settings: SynthesisSpec,
        generator: torch.Generator | Sequence[torch.Generator],
        speakers: Tensor | None = None,
        duration_scale: float = 1.0,
        prosody: TokenProsody | None = None,
        performance: Performance | None = None,
    ) -> Synthesis:
        """Speaks a batch of token ids (batch, tokens); every utterance gets what it would get alone.

        Args:
            tokens: padded.
            lengths: (batch,) tokens of every utterance.
            settings: sampler, steps, temperature, speed.
            generator: source of all noise; one for each utterance, or one that they draw from in turn.
            speakers: (batch,) ids for a multi-speaker model.
            duration_scale: of ``rounded`` durations, against the predictor's bias.
            prosody: of the tokens of a batch of one text.
            performance: of a recording of a batch of one text.
        """
        settings = settings.resolve_defaults(self.spec)
        # Official text encoders stay in float32: the reference outputs are theirs.
        with autocast(tokens.device, "float32" if self.frame_prior is None else settings.precision):
            prior = self.encode(tokens, lengths, speakers)
        scale = duration_scale if settings.durations == "rounded" else 1.0
        tempo = settings.speed if prosody is None else settings.speed * prosody.rate.to(prior.logw.device)
        if performance is not None and performance.timing:
            durations = performance.durations[None]
        else:
            durations = predicted_durations(prior, scale / tempo, settings.durations)
        if settings.durations == "rounded":
            # Up to three frames more of the last token, and the network needs no mask for one utterance.
            more = -durations.sum(1, keepdim=True) % FRAME_MULTIPLE
            durations = durations.scatter_add(1, lengths[:, None].to(durations.device) - 1, more)
        frame_lengths = durations.sum(1).clamp(min=1)
        sizes = [padded_length(length) for length in frame_lengths.tolist()]
        frames = max(sizes)
        whole = bool((frame_lengths == frames).all())
        mask = None if whole else length_mask(frame_lengths, frames)
        extent = None if len(set(sizes)) == 1 else official_extent(frame_lengths, frames)
        asked = None
        if prosody is not None:
            asked = frame_prosody(prosody.semitones, prosody.rise, durations, frames)
        with autocast(prior.mu_x.device, settings.precision):
            condition = self.condition(
                prior, durations, frames, mask, extent, speakers, settings.pitch_range, asked, performance
            )
        mu_y = condition.mu
        generators = [generator] * len(sizes) if isinstance(generator, torch.Generator) else generator
        noise = partial(_noise, mu_y, sizes, generators)
        temperature = self.spec.temperature if settings.temperature is None else settings.temperature
        start = temperature * noise() + (mu_y if settings.start == "mu" else 0.0)
        with autocast(mu_y.device, settings.precision):
            mel = self.decoder.sample(start, condition, settings, noise)
        if settings.postfilter:
            if mask is not None:  # the filter shall see what it would at the end of an utterance that is alone
                index = torch.arange(frames, device=mel.device).expand(len(mel), 1, -1)
                mel = mel.gather(2, index.minimum(frame_lengths[:, None, None] - 1).expand_as(mel))
            mel = filtered(mel, self.detail_gains(speakers), settings.postfilter)
            mel = mel if mask is None else mel * mask
        longest = int(frame_lengths.max())
        return Synthesis(mel[:, :, :longest], mu_y[:, :, :longest], durations, frame_lengths)

    def condition(
        self,
        prior: Prior,
        durations: Tensor,
        frames: int,
        mask: Tensor | None,
        extent: Tensor | None,
        speakers: Tensor | None,
        pitch_range: float | Tensor = 1.0,
        prosody: FrameProsody | None = None,
        performance: Performance | None = None,
    ) -> Condition:
        """What the decoder is told: the tokens' means, repeated, or the frame-level mean under a predicted pitch.

        ``mask`` and ``extent`` are as in `Condition`. The predicted pitch's distance from the speaker's mean is
        multiplied by ``pitch_range`` and changed by ``prosody``; that of ``performance`` takes its place.
        """
        mu_y = expand(prior.mu_x, durations, frames)
        speaker = self.speaker(speakers)
        if self.frame_prior is None:
            return Condition(mu_y, mask, extent, speaker)
        rows = torch.zeros_like(durations[:, 0]) if speakers is None else speakers
        token, position = frame_positions(durations, frames)
        hidden = gather_tokens(prior.hidden, token)
        by_frame = None if mask is None else mask.transpose(1, 2)
        inputs = self.frame_prior.inputs(hidden, mu_y, position, speaker)
        scores, voicing = self.frame_prior.predict_pitch(inputs, by_frame)
        scores = pitch_range * scores
        if performance is not None and performance.melody > 0:
            scores, voicing = performance.melody_on(token, position, scores, voicing)
        if prosody is not None:
            scores = scores + prosody.rise * (pitch_range * QUESTION_END - scores)
        pitch = self.frame_prior.pitch(scores, voicing, rows)
        if prosody is not None:
            pitch = Pitch(pitch.log_f0 + prosody.raised, pitch.voiced)
        mean = self.frame_prior.mean(inputs, mu_y, pitch, rows, by_frame)
        return Condition(mean.mu, mask, None, speaker, features=mean.features)


def _score_network(spec: ModelSpec) -> nn.Module:
    if spec.decoder == "convnext":
        return ConvNeXtScore(spec)
    # Only here, because its normalisation is compiled by numba, which takes a third of a second to load.
    from voxgrad.model.unet import UNet  # noqa: PLC0415

    return UNet(spec)


def _noise(like: Tensor, sizes: Sequence[int], generators: Sequence[torch.Generator]) -> Tensor:
    """Standard normal, each utterance's own frames from its own generator, zero after them."""
    noise = torch.zeros_like(like)
    for row, size, generator in zip(noise, sizes, generators, strict=True):
        row[:, :size] = torch.randn(len(row), size, generator=generator, device=generator.device)
    return noise


_SMOOTHED: Final = 7
"""Frames over which a change of pitch is spread: 80 ms."""
QUESTION_END: Final = 2.0
"""Where a question that rises ends: standard deviations of the speaker's ln F0 above its mean. Eight semitones, say."""


def frame_prosody(semitones: Tensor, rise: Tensor, durations: Tensor, frames: int) -> FrameProsody:
    """What is asked of (tokens,), by (1, tokens) durations, of every frame, smooth at the borders."""
    values = torch.stack((semitones * (math.log(2) / 12), rise))[None].to(durations.device)
    by_frame = expand(values, durations, frames)
    padded = nn.functional.pad(by_frame, (_SMOOTHED // 2, _SMOOTHED // 2), mode="replicate")
    raised, rising = nn.functional.avg_pool1d(padded, _SMOOTHED, 1).unbind(1)
    return FrameProsody(raised, rising)


def predicted_durations(prior: Prior, scale: float | Tensor, rounding: Literal["rounded", "official"]) -> Tensor:
    """Whole frames from predicted log-durations.

    ``official`` rounds each token's frames up, then scales, then rounds the cumulative borders up;
    ``rounded`` scales and rounds the borders to the nearest frame, at least one frame a token. The scale is one number,
    or one for each token.

    Returns:
        (batch, tokens) int64.
    """
    mask = prior.mask.squeeze(1)
    frames = torch.exp(prior.logw) * mask
    if rounding == "official":
        scaled = frames.ceil() * scale
        total = scaled.sum(1, keepdim=True).clamp(min=1).floor()
        border = torch.minimum(scaled.cumsum(1).ceil(), total)
    else:
        # float64 is what torch sums float32 in; said here, exported graphs do it too.
        border = ((frames * scale).clamp(min=1.0) * mask).cumsum(1, dtype=torch.float64).float().round()
    border = border.long()
    return border - F.pad(border, (1, 0))[:, :-1]
