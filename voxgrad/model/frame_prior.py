"""A mean for every frame that follows the pitch, which a token's one mean cannot know.

Grad-TTS repeats a token's mean over its frames (section 3.2 of Popov et al., 2021). Here the repeated means, and what
the text encoder knows of the token, go through a pitch predictor (FastPitch, Łańcucki, 2021; by frame) and a small
network that is told the pitch. The diffusion is around its result, N(mu_frame, I), which lies nearer to the mel.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from voxgrad.model.convnext import ConvNeXtBlock
from voxgrad.settings import MelSpec, ModelSpec

PITCH_FLOOR: Final = 55.0
PITCH_CEILING: Final = 600.0
PITCH_BINS: Final = 128
POSITION_FEATURES: Final = 3
_PITCH_FEATURES: Final = 2
_MEAN: Final = 5.0
_DEVIATION: Final = 0.25
"""Of ln F0, until it is measured."""
_UNVOICED: Final = 5.0
"""ln Hz that stands where there is no pitch; it is multiplied by zero."""


@dataclass(frozen=True, slots=True)
class Pitch:
    """The pitch of every frame."""

    log_f0: Tensor
    """(batch, frames), ln Hz; without meaning where it is not voiced."""
    voiced: Tensor
    """(batch, frames), 0 to 1."""


@dataclass(frozen=True, slots=True)
class FrameMean:
    """What a frame is expected to be."""

    mu: Tensor
    """(batch, n_feats, frames)."""
    features: Tensor
    """(batch, frames, frame_channels), for the score network."""


class FramePrior(nn.Module):
    """Pitch predictor and frame-level mean."""

    harmonics: Tensor
    """(PITCH_BINS, n_feats), see `harmonic_table`."""
    pitch_statistics: Tensor
    """(n_spks, 2), mean and deviation of every speaker's ln F0."""
    detail_gains: Tensor
    """(n_spks, n_feats), of every speaker, for the postfilter; see `voxgrad.postfilter`."""

    def __init__(self, spec: ModelSpec, inner: int) -> None:
        super().__init__()
        channels, speaker = spec.frame_channels, spec.spk_emb_dim if spec.n_spks > 1 else 0
        self.register_buffer("harmonics", torch.zeros(PITCH_BINS, spec.n_feats))
        self.register_buffer("pitch_statistics", torch.full((spec.n_spks, 2), _DEVIATION))
        self.pitch_statistics[:, 0].fill_(_MEAN)
        self.register_buffer("detail_gains", torch.ones(spec.n_spks, spec.n_feats))
        self.pitch_input = nn.Linear(inner + spec.n_feats + POSITION_FEATURES + speaker, channels)
        self.pitch_blocks = nn.ModuleList(ConvNeXtBlock(channels) for _ in range(spec.pitch_blocks))
        self.pitch_norm = nn.LayerNorm(channels)
        self.pitch_output = nn.Linear(channels, 2)
        self.mean_input = nn.Linear(inner + 2 * spec.n_feats + POSITION_FEATURES + _PITCH_FEATURES + speaker, channels)
        self.mean_blocks = nn.ModuleList(ConvNeXtBlock(channels) for _ in range(spec.frame_blocks))
        self.mean_norm = nn.LayerNorm(channels)
        self.mean_output = nn.Linear(channels, spec.n_feats)
        self.dropout = nn.Dropout(spec.frame_dropout)
        nn.init.zeros_(self.mean_output.weight)
        nn.init.zeros_(self.mean_output.bias)

    def mean_parameters(self) -> list[nn.Parameter]:
        """Those of the frame-level mean; the others are the pitch predictor's."""
        parts = (self.mean_input, self.mean_blocks, self.mean_norm, self.mean_output)
        return [parameter for part in parts for parameter in part.parameters()]

    def inputs(self, hidden: Tensor, mu_y: Tensor, position: Tensor, speaker: Tensor | None) -> Tensor:
        """Joins what both networks are told of every frame: (batch, frames, channels).

        ``hidden`` (batch, frames, inner) and ``mu_y`` (batch, n_feats, frames) are the text encoder's, repeated by the
        durations; position is `frame_positions`', speaker (batch, spk_emb_dim).
        """
        parts = [hidden, mu_y.transpose(1, 2), position]
        if speaker is not None:
            parts.append(speaker[:, None].expand(-1, hidden.shape[1], -1))
        return torch.cat(parts, 2)

    def predict_pitch(self, inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Z-scores of ln F0 and logits of voicing, both (batch, frames), from `inputs`; mask is (batch, frames, 1)."""
        x = self.pitch_input(inputs)
        for block in self.pitch_blocks:
            x = self.dropout(block(x, mask))
        z, voicing = self.pitch_output(self.pitch_norm(x)).float().unbind(-1)
        return z, voicing

    def pitch_scores(self, log_f0: Tensor, rows: Tensor) -> Tensor:
        """The z-scores of ln F0 (batch, frames) among what the speakers ``rows`` (batch,) use."""
        mean, deviation = self.pitch_statistics[rows].unsqueeze(1).unbind(-1)
        return (log_f0 - mean) / deviation

    def pitch(self, z: Tensor, voicing: Tensor, rows: Tensor) -> Pitch:
        """The pitch that z-scores and logits (batch, frames) mean for the speakers ``rows``."""
        mean, deviation = self.pitch_statistics[rows].unsqueeze(1).unbind(-1)
        return Pitch(z * deviation + mean, (voicing > 0).to(z.dtype))

    def mean(self, inputs: Tensor, mu_y: Tensor, pitch: Pitch, rows: Tensor, mask: Tensor | None) -> FrameMean:
        """The mean of every frame under a pitch, from `inputs`; speakers are (batch,), mask is (batch, frames, 1)."""
        voiced = pitch.voiced.unsqueeze(-1)
        z = self.pitch_scores(pitch.log_f0, rows).clamp(-4, 4).unsqueeze(-1) * voiced
        harmonics = self._harmonics(pitch.log_f0) * voiced
        x = self.mean_input(torch.cat([inputs, harmonics.to(inputs.dtype), z, voiced], 2))
        for block in self.mean_blocks:
            x = self.dropout(block(x, mask))
        features = self.mean_norm(x)
        mu = mu_y + self.mean_output(features).float().transpose(1, 2)
        return FrameMean(mu if mask is None else mu * mask.transpose(1, 2), features)

    def _harmonics(self, log_f0: Tensor) -> Tensor:
        """(batch, frames) ln Hz → (batch, frames, n_feats), between the two nearest rows of the table."""
        low, high = math.log(PITCH_FLOOR), math.log(PITCH_CEILING)
        at = ((log_f0 - low) / (high - low) * (PITCH_BINS - 1)).clamp(0, PITCH_BINS - 1.001)
        below = at.floor().long()
        share = (at - below).unsqueeze(-1)
        return self.harmonics[below] * (1 - share) + self.harmonics[below + 1] * share


def recorded_pitch(log_f0: Tensor) -> Pitch:
    """The pitch of recordings: (batch, frames) ln Hz, 0 where not voiced."""
    voiced = log_f0 > 0
    return Pitch(torch.where(voiced, log_f0, _UNVOICED), voiced.float())


def expand(values: Tensor, durations: Tensor, frames: int) -> Tensor:
    """Repeats every token's column for its frames: (batch, channels, tokens) → (batch, channels, frames), then zeros.

    >>> expand(torch.tensor([[[5.0, 7.0]]]), torch.tensor([[2, 1]]), 4).tolist()
    [[[5.0, 5.0, 7.0, 0.0]]]
    """
    stop = durations.cumsum(1)
    frame = torch.arange(frames, device=durations.device).expand(durations.shape[0], -1).contiguous()
    token = torch.searchsorted(stop, frame, right=True)
    inside = token < values.shape[2]
    index = token.clamp(max=values.shape[2] - 1)[:, None].expand(-1, values.shape[1], -1)
    return values.gather(2, index) * inside[:, None]


def frame_positions(durations: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Where every frame lies in its token, by (batch, tokens) durations.

    Returns:
        (batch, frames) indices of the tokens, and (batch, frames, 3): the share of the token that has passed, the
        share that is to come, and the logarithm of its duration.
    """
    ends = durations.cumsum(1)
    at = torch.arange(frames, device=durations.device).expand(len(durations), -1)
    token = torch.searchsorted(ends, at.contiguous(), right=True).clamp(max=durations.shape[1] - 1)
    length = durations.gather(1, token).clamp(min=1).float()
    passed = (at - ends.gather(1, token) + length + 0.5) / length
    passed = passed.clamp(0, 1)
    return token, torch.stack([passed, 1 - passed, length.log() / 3], -1)


def gather_tokens(values: Tensor, token: Tensor) -> Tensor:
    """Every frame's column of a token: (batch, channels, tokens) and (batch, frames) → (batch, frames, channels)."""
    return values.gather(2, token[:, None].expand(-1, values.shape[1], -1)).transpose(1, 2)


def harmonic_table(mel: MelSpec, filters: Tensor) -> Tensor:
    """The log-mel that pulses of every pitch would have, each row less its mean: (PITCH_BINS, n_mels).

    A pitch is resolved into harmonics in the low bands only, and this says in which and where.
    """
    low, high = math.log(PITCH_FLOOR), math.log(PITCH_CEILING)
    f0 = torch.linspace(low, high, PITCH_BINS).exp()
    bins = torch.arange(mel.n_fft // 2 + 1) * (mel.sample_rate / mel.n_fft)
    # The main lobe of a Hann window is four bins wide.
    width = 2 * mel.sample_rate / mel.win_length
    distance = torch.remainder(bins + f0[:, None] / 2, f0[:, None]) - f0[:, None] / 2
    lobe = torch.where(distance.abs() < width, torch.cos(math.pi / 2 * distance / width).square(), 0.0)
    pattern = ((lobe + 0.02) @ filters.T).clamp(min=mel.floor).log()
    return pattern - pattern.mean(1, keepdim=True)
