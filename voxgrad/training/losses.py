"""The trained parameters of a Grad-TTS stage, the losses of a step, and validation on held-out clips."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxgrad.model.diffusion import Condition, length_mask, official_extent, padded_length
from voxgrad.model.frame_prior import (
    FrameMean,
    FramePrior,
    Pitch,
    expand,
    frame_positions,
    gather_tokens,
    recorded_pitch,
)
from voxgrad.model.gradtts import GradTTS, Prior, predicted_durations
from voxgrad.settings import LossWeights, StageSpec
from voxgrad.text.ipa import BLANKS
from voxgrad.text.symbols import SPACE
from voxgrad.training.alignment import Durations
from voxgrad.training.dataset import Batch, Corpus, Crops, collate, crop_starts, generator_for
from voxgrad.training.optim import ProcessGroup

_PREDICTED_TOGETHER = 16
_SCALED_BY = 200
_HUBER = 0.2  # z-scores: beyond it errors of the tracker, an octave off, count linearly


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of Grad-TTS; None where the stage does not train that part, or the model has none."""

    prior: Tensor | None = None
    duration: Tensor | None = None
    diffusion: Tensor | None = None
    pitch: Tensor | None = None
    voicing: Tensor | None = None
    mean: Tensor | None = None

    def named(self) -> dict[str, Tensor]:
        """The losses that are not None."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def with_prosody(self, other: "Losses") -> "Losses":
        """The mean of both, of what both have; else what one has."""
        ours, theirs = self.named(), other.named()
        both = {name: (ours[name] + theirs[name]) / 2 for name in ours.keys() & theirs.keys()}
        return Losses(**{**theirs, **ours, **both})

    def total(self, weights: LossWeights) -> Tensor:
        """Their weighted sum; the official code's weights are all one."""
        weight: dict[str, float] = weights.model_dump()
        weight["voicing"] = weights.pitch
        return torch.stack([weight[name] * value for name, value in self.named().items()]).sum()


def duration_loss(prior: Prior, durations: Tensor) -> Tensor:
    """Squared error of the log-durations, mean over real tokens (equation 5)."""
    mask = prior.mask.squeeze(1)
    target = torch.log(1e-8 + durations) * mask
    return (prior.logw - target).square().sum() / mask.sum()


def encoder_loss(kind: Literal["gaussian", "l1", "l2"], mu_y: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """A distance of mel and mu (batch, n_feats, frames), mean over what ``mask`` (batch, 1, frames) says is real.

    ``gaussian`` is the negative log-likelihood of the mel under N(mu, I) (equation 4): half of ``l2`` and a constant.
    ``l1`` draws mu to the median of a token's frames, where the others draw it to their mean.
    """
    error = y - mu_y
    distance = error.abs() if kind == "l1" else error.square()
    if kind == "gaussian":
        distance = 0.5 * (distance + math.log(2.0 * math.pi))
    return (distance * mask).sum() / (mask.sum() * y.shape[1])


def parameters_of(model: GradTTS, stage: StageSpec) -> dict[str, list[nn.Parameter]]:
    """The parameters that a stage trains, by part; gradients are switched off for all others."""
    durations = list(model.encoder.proj_w.parameters())
    kept_apart = {id(parameter) for parameter in durations}
    parts = {
        "encoder": [p for p in model.encoder.parameters() if id(p) not in kept_apart],
        "durations": durations,
        "decoder": list(model.decoder.estimator.parameters()),
    }
    if model.frame_prior is not None:
        prior = model.frame_prior
        parts["decoder"] += list(prior.parameters() if stage.pitch else prior.mean_parameters())
    if model.spec.n_spks > 1:
        parts["encoder" if model.spec.condition_encoder else "decoder"] += list(model.spk_emb.parameters())
    model.requires_grad_(requires_grad=False)
    for parameter in chain.from_iterable(parts[name] for name in stage.train):
        parameter.requires_grad_()
    return {name: parts[name] for name in stage.train}


@torch.no_grad()
def duration_scale(model: GradTTS, corpus: Corpus, speaker_rows: Mapping[str, int], device: torch.device) -> float:
    """Frames of the clips over the frames that are predicted for them; at most 200 clips are looked at."""
    model.eval()
    actual = predicted = 0
    some = corpus.clips[:: max(1, len(corpus.clips) // _SCALED_BY)]
    for start in range(0, len(some), _PREDICTED_TOGETHER):
        batch = collate(corpus, some[start : start + _PREDICTED_TOGETHER], speaker_rows).to(device)
        prior = model.encode(batch.tokens, batch.token_lengths, batch.speakers)
        predicted += int(predicted_durations(prior, 1.0, "rounded").sum())
        actual += int(batch.frame_lengths.sum())
    # A predictor that has learnt nothing may be off by any factor; speech stays speech within these.
    return min(max(actual / predicted, 0.5), 2.0)


def decoder_losses(model: GradTTS, crops: Crops, generator: torch.Generator, group: ProcessGroup) -> Losses:
    """The diffusion loss on crops under frozen alignments, times stratified over the batch.

    Of the complete batch this process computes its rows, and weighs their loss by what they count in the complete.
    """
    t, noise = _times_and_noise(crops.y, generator)
    weight = group.weight(crops.lengths)
    return _decoder_losses(model, crops.mapped(group.shard), group.shard(t), group.shard(noise), weight)


def _decoder_losses(model: GradTTS, crops: Crops, t: Tensor, noise: Tensor, weight: float) -> Losses:
    if model.frame_prior is not None:
        losses = frame_losses(model, crops, t, noise)
    else:
        losses = Losses(diffusion=model.decoder.loss(crops.y, _condition(model, crops), t, noise))
    return Losses(**{name: value * weight for name, value in losses.named().items()})


def full_losses(
    model: GradTTS,
    batch: Batch,
    stage: StageSpec,
    distance: Literal["gaussian", "l1", "l2", "none"],
    durations: Tensor | None,
    generator: torch.Generator,
    group: ProcessGroup,
) -> tuple[Losses, Tensor]:
    """The losses of complete utterances; the decoder, where it is trained, sees a crop of each.

    The decoder's gradient goes through the means into the encoder, where that is trained. Of the batch this process
    computes its rows; losses are weighted by what they count. The encoder's ``distance`` may be ``none``, which leaves
    it to the decoder. ``durations`` are (batch, tokens), or None to search now.

    Returns:
        The losses, and the durations of this process's rows that they were computed under.
    """
    complete, batch = batch, batch.mapped(group.shard)
    prior = model.encode(batch.tokens, batch.token_lengths, batch.speakers)
    durations = model.align(prior, batch.y, batch.frame_lengths) if durations is None else group.shard(durations)
    mu_y = expand(prior.mu_x, durations, batch.y.shape[2])
    mask = length_mask(batch.frame_lengths, batch.y.shape[2])
    losses = Losses()
    if "decoder" in stage.train:
        size = complete.y.shape[2] if stage.crop is None else padded_length(min(stage.crop, complete.y.shape[2]))
        start = crop_starts(complete.frame_lengths, size, generator).to(complete.y.device)
        t, noise = (group.shard(drawn) for drawn in _times_and_noise(complete.y[..., :size], generator))
        crops = _cropped(model, batch, prior, durations, mu_y, group.shard(start), size)
        losses = _decoder_losses(model, crops, t, noise, group.weight(complete.frame_lengths.clamp(max=size)))
    if "encoder" in stage.train and distance != "none":
        weight = group.weight(complete.frame_lengths)
        losses = replace(losses, prior=encoder_loss(distance, mu_y, batch.y, mask) * weight)
    if "durations" in stage.train:
        losses = replace(losses, duration=duration_loss(prior, durations) * group.weight(complete.token_lengths))
    return losses, durations


def prosody_losses(model: GradTTS, batch: Batch, stage: StageSpec, durations: Tensor, group: ProcessGroup) -> Losses:
    """The losses of durations and pitch of complete sentences, whose mels and voicing are not known.

    ``durations`` are (batch, tokens). Of the batch this process computes its rows.
    """
    tokens, frames = group.weight(batch.token_lengths), group.weight(batch.frame_lengths)
    batch, durations = batch.mapped(group.shard), group.shard(durations)
    prior = model.encode(batch.tokens, batch.token_lengths, batch.speakers)
    losses = Losses()
    if "durations" in stage.train:
        losses = Losses(duration=duration_loss(prior, durations) * tokens)
    if "decoder" in stage.train and stage.pitch and model.frame_prior is not None:
        size = batch.y.shape[2]
        mu_y, start = expand(prior.mu_x, durations, size), torch.zeros_like(batch.frame_lengths)
        crops = _cropped(model, batch, prior, durations, mu_y, start, size)
        inputs, pitch = _pitch_inputs(model, crops)
        mask = length_mask(crops.lengths, size).transpose(1, 2)
        off, _ = _pitch_losses(model.frame_prior, inputs, pitch, crops.speakers, mask)
        losses = replace(losses, pitch=off * frames)
    return losses


def _cropped(
    model: GradTTS, batch: Batch, prior: Prior, durations: Tensor, mu_y: Tensor, start: Tensor, size: int
) -> Crops:
    """``size`` frames of every utterance from ``start`` (batch,) on."""
    frames = batch.y.shape[2]
    index = (start[:, None] + torch.arange(size, device=start.device)).clamp(max=frames - 1)
    bands = index[:, None].expand(-1, batch.y.shape[1], -1)
    lengths = batch.frame_lengths.clamp(max=size)
    crops = Crops(batch.y.gather(2, bands), mu_y.gather(2, bands), lengths, batch.speakers)
    if model.frame_prior is None or batch.log_f0 is None:
        return crops
    token, position = frame_positions(durations, frames)
    return replace(
        crops,
        hidden=gather_tokens(prior.hidden, token.gather(1, index)),
        position=position.gather(1, index[..., None].expand(-1, -1, position.shape[2])),
        log_f0=batch.log_f0.gather(1, index),
    )


def _condition(model: GradTTS, crops: Crops) -> Condition:
    size, lengths = crops.y.shape[2], crops.lengths
    speaker = model.speaker(crops.speakers)
    # Where nothing is padded, the network can skip its masks. A GPU would have to be waited for to know.
    if lengths.device.type == "cpu" and bool((lengths == size).all()):
        return Condition(crops.mu_y, speaker=speaker)
    return Condition(crops.mu_y, length_mask(lengths, size), official_extent(lengths, size), speaker)


def _times_and_noise(y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One time from each of ``batch`` equal parts of [0, 1], which halves the loss's variance, and noise like ``y``."""
    batch = y.shape[0]
    t = (torch.randperm(batch, generator=generator) + torch.rand(batch, generator=generator)) / batch
    noise = torch.randn(y.shape, generator=generator)
    return t.to(y.device), noise.to(y.device)


TIMES = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
_CLIPS = 8
_FRAMES = 256


@torch.no_grad()
def validate(
    model: GradTTS,
    held_out: Corpus,
    speaker_rows: Mapping[str, int],
    device: torch.device,
    *,
    decoder: bool,
    known: Durations | None = None,
) -> dict[str, float]:
    """Figures on the first few held-out clips, under the model's own alignments of them or under known durations.

    The score network, which takes most of the time, is evaluated where ``decoder`` says so. The model is left in
    evaluation mode.

    Returns:
        ``prior_distance`` (mean absolute difference of mel and mean), ``duration`` loss, ``duration_error`` in
        frames of a phone (mean absolute) and, for the decoder, ``diffusion`` loss averaged over fixed times.
    """
    model.eval()
    clips = held_out.first(_CLIPS)
    batch = collate(held_out, clips, speaker_rows).to(device)
    prior = model.encode(batch.tokens, batch.token_lengths, batch.speakers)
    durations = model.align(prior, batch.y, batch.frame_lengths) if known is None else known.stacked(clips).to(device)
    frames = batch.y.shape[2]
    mask = length_mask(batch.frame_lengths, frames)
    mu_y = expand(prior.mu_x, durations, frames)
    distance = ((mu_y - batch.y).abs() * mask).sum() / (mask.sum() * mu_y.shape[1])
    figures = {
        "prior_distance": float(distance),
        "duration": float(duration_loss(prior, durations)),
        "duration_error": _duration_error(prior, durations, batch.tokens),
    }
    if not decoder:
        return figures
    size = min(frames, _FRAMES)
    crops = _cropped(model, batch, prior, durations, mu_y, torch.zeros_like(batch.frame_lengths), size)
    condition = _condition(model, crops)
    if model.frame_prior is not None and batch.log_f0 is not None:
        mean, _, _ = frame_mean(model, crops)
        mask = length_mask(crops.lengths, size)
        condition = replace(condition, mu=mean.mu, features=mean.features, mask=mask)
        figures["mean_distance"] = float(encoder_loss("l1", mean.mu, crops.y, mask))
    total = 0.0
    for index, time in enumerate(TIMES):
        noise = torch.randn((len(clips), mu_y.shape[1], size), generator=generator_for(index)).to(device)
        t = torch.full((len(clips),), time, device=device)
        total += float(model.decoder.loss(crops.y, condition, t, noise))
    return {**figures, "diffusion": total / len(TIMES)}


def _duration_error(prior: Prior, durations: Tensor, tokens: Tensor) -> float:
    blank = (tokens >= BLANKS.start) & (tokens < BLANKS.stop)
    real = (prior.mask.squeeze(1) > 0) & ~blank & (tokens != SPACE)
    return float((prior.logw.exp() - durations).abs()[real].mean())


def frame_losses(model: GradTTS, crops: Crops, t: Tensor, noise: Tensor) -> Losses:
    """The losses of crops under recorded durations and pitch, at times t (batch,).

    The score network sees the mean detached: its gradient would move the mean, which the prior is around.
    """
    mask = length_mask(crops.lengths, crops.y.shape[2])
    mean, inputs, pitch = frame_mean(model, crops)
    condition = Condition(mean.mu.detach(), mask, None, model.speaker(crops.speakers), features=mean.features)
    off, unsure = None, None
    if model.frame_prior is not None and model.frame_prior.pitch_output.weight.requires_grad:
        off, unsure = _pitch_losses(model.frame_prior, inputs, pitch, crops.speakers, mask.transpose(1, 2))
    return Losses(
        mean=encoder_loss("l2", mean.mu, crops.y, mask),
        diffusion=model.decoder.loss(crops.y, condition, t, noise),
        pitch=off,
        voicing=unsure,
    )


def _pitch_losses(prior: FramePrior, inputs: Tensor, pitch: Pitch, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Of z-scores of ln F0 where it is voiced, and of voicing; mask is (batch, frames, 1)."""
    scores, logits = prior.predict_pitch(inputs, mask)
    target = prior.pitch_scores(pitch.log_f0, rows).clamp(-4, 4)
    off = F.smooth_l1_loss(scores, target, reduction="none", beta=_HUBER) * pitch.voiced
    unsure = F.binary_cross_entropy_with_logits(logits, pitch.voiced, reduction="none") * mask[..., 0]
    return off.sum() / pitch.voiced.sum().clamp(min=1), unsure.sum() / mask.sum()


def frame_condition(model: GradTTS, crops: Crops) -> Condition:
    """What the score network is told of crops under their recorded pitch."""
    mean, mask = frame_mean(model, crops)[0], length_mask(crops.lengths, crops.y.shape[2])
    return Condition(mean.mu, mask, None, model.speaker(crops.speakers), features=mean.features)


def frame_mean(model: GradTTS, crops: Crops) -> tuple[FrameMean, Tensor, Pitch]:
    """The frame-level mean of crops under their recorded pitch; what it is told, see `FramePrior.inputs`; the pitch."""
    inputs, pitch = _pitch_inputs(model, crops)
    assert model.frame_prior is not None  # noqa: S101 - or else there are no inputs
    mask = length_mask(crops.lengths, crops.y.shape[2]).transpose(1, 2)
    return model.frame_prior.mean(inputs, crops.mu_y, pitch, crops.speakers, mask), inputs, pitch


def _pitch_inputs(model: GradTTS, crops: Crops) -> tuple[Tensor, Pitch]:
    prior = model.frame_prior
    if prior is None or crops.hidden is None or crops.position is None or crops.log_f0 is None:
        raise ValueError("the model has no frame-level mean, or the crops no positions and pitch")
    inputs = prior.inputs(crops.hidden, crops.mu_y, crops.position, model.speaker(crops.speakers))
    return inputs, recorded_pitch(crops.log_f0)
