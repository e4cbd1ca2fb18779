"""What one stage trains, the losses of one step, and validation on held-out clips."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor, nn

from voxgrad.model.diffusion import Condition, length_mask, official_extent, padded_length
from voxgrad.model.frame_prior import expand, frame_positions, gather_tokens
from voxgrad.model.gradtts import GradTTS, Prior, duration_loss, encoder_loss, predicted_durations
from voxgrad.settings import LossWeights, StageSpec
from voxgrad.text.symbols import BLANK, SPACE
from voxgrad.training.alignment import Durations
from voxgrad.training.batches import Batch, Crops, collate, crop_starts, generator_for
from voxgrad.training.dataset import Corpus
from voxgrad.training.distributed import ProcessGroup
from voxgrad.training.frame_losses import frame_losses, frame_mean

_PREDICTED_TOGETHER = 16
_SCALED_BY = 200


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
        """Those that there are."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def total(self, weights: LossWeights) -> Tensor:
        """Their weighted sum; the official code's weights are all one."""
        weight: dict[str, float] = weights.model_dump()
        weight["voicing"] = weights.pitch
        return torch.stack([weight[name] * value for name, value in self.named().items()]).sum()


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
    chosen: dict[str, list[nn.Parameter]] = {name: parts[name] for name in stage.train}
    model.requires_grad_(requires_grad=False)
    for parameters in chosen.values():
        for parameter in parameters:
            parameter.requires_grad_()
    return chosen


@torch.no_grad()
def duration_scale(
    model: GradTTS, corpus: Corpus, speaker_rows: Mapping[str, int], device: torch.device
) -> float:
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
    part = crops.mapped(group.shard)
    return _decoder_losses(model, part, group.shard(t), group.shard(noise), group.weight(crops.lengths))


def _decoder_losses(model: GradTTS, crops: Crops, t: Tensor, noise: Tensor, weight: Tensor | float) -> Losses:
    """The decoder's losses on crops of one process."""
    if model.frame_prior is not None:
        found = frame_losses(model, crops, t, noise)
        values = {field.name: getattr(found, field.name) for field in fields(found)}
        return Losses(**{name: value * weight for name, value in values.items() if value is not None})
    condition = _condition(model, crops.mu_y, crops.lengths, crops.speakers)
    return Losses(diffusion=model.decoder.loss(crops.y, condition, t, noise) * weight)


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

    The decoder's gradient goes through the means into the encoder, where that is trained.

    Args:
        model: in training mode.
        batch: complete utterances, of which this process computes its rows; losses are weighted by what they count.
        stage: what is trained, and the crop.
        distance: the encoder's loss; ``none`` leaves it to the decoder.
        durations: (batch, tokens), or None to search now.
        generator: of crops, times and noise.
        group: the processes.

    Returns:
        The losses, and the durations of this process's rows that they were computed under.
    """
    complete, batch = batch, batch.mapped(group.shard)
    prior = model.encode(batch.tokens, batch.token_lengths, batch.speakers)
    durations = (
        model.align(prior, batch.y, batch.frame_lengths) if durations is None else group.shard(durations)
    )
    mu_y = expand(prior.mu_x, durations, batch.y.shape[2])
    mask = length_mask(batch.frame_lengths, batch.y.shape[2])
    losses = Losses()
    if "decoder" in stage.train:
        losses = _cropped_decoder(model, complete, prior, durations, mu_y, stage, generator, group)
    losses = replace(
        losses,
        prior=encoder_loss(distance, mu_y, batch.y, mask) * group.weight(complete.frame_lengths)
        if "encoder" in stage.train and distance != "none"
        else None,
        duration=duration_loss(prior, durations) * group.weight(complete.token_lengths)
        if "durations" in stage.train
        else None,
    )
    return losses, durations


def _cropped_decoder(
    model: GradTTS,
    batch: Batch,
    prior: Prior,
    durations: Tensor,
    mu_y: Tensor,
    stage: StageSpec,
    generator: torch.Generator,
    group: ProcessGroup,
) -> Losses:
    """The losses of this process's rows of the complete ``batch``; prior, durations and mu_y are of those rows."""
    size = batch.y.shape[2] if stage.crop is None else padded_length(min(stage.crop, batch.y.shape[2]))
    start = crop_starts(batch.frame_lengths, size, generator).to(batch.y.device)
    index = (start[:, None] + torch.arange(size, device=start.device)).clamp(max=batch.y.shape[2] - 1)
    bands = index[:, None].expand(-1, batch.y.shape[1], -1)
    y, lengths = batch.y.gather(2, bands), batch.frame_lengths.clamp(max=size)
    t, noise = (group.shard(drawn) for drawn in _times_and_noise(y, generator))
    rows = Crops(y, y, lengths, batch.speakers).mapped(group.shard)
    crops = replace(rows, mu_y=mu_y.gather(2, group.shard(bands)))
    if model.frame_prior is not None and batch.log_f0 is not None:
        frames = group.shard(index)
        token, position = frame_positions(durations, batch.y.shape[2])
        crops = replace(
            crops,
            hidden=gather_tokens(prior.hidden, token.gather(1, frames)),
            position=position.gather(1, frames[..., None].expand(-1, -1, position.shape[2])),
            log_f0=group.shard(batch.log_f0.gather(1, index)),
        )
    return _decoder_losses(model, crops, t, noise, group.weight(lengths))


def _condition(model: GradTTS, mu_y: Tensor, lengths: Tensor, speakers: Tensor) -> Condition:
    size = mu_y.shape[2]
    speaker = model.speaker(speakers)
    # Where nothing is padded, the network can skip its masks. A GPU would have to be waited for to know.
    if lengths.device.type == "cpu" and bool((lengths == size).all()):
        return Condition(mu_y, speaker=speaker)
    return Condition(mu_y, length_mask(lengths, size), official_extent(lengths, size), speaker)


def _times_and_noise(y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One time from each of ``batch`` equal parts of [0, 1], which halves the loss's variance, and noise."""
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
    """Figures on held-out clips, under the model's own alignments of them or under known durations.

    Args:
        model: in any mode; left in evaluation mode.
        held_out: only its first few clips are used, in the order of their ids.
        speaker_rows: speaker → row of the embedding.
        device: where the model is.
        decoder: evaluate the score network too, which takes most of the time.
        known: durations that are not searched.

    Returns:
        ``prior_distance`` (mean absolute difference of mel and mean), ``duration`` loss, ``duration_error`` in
        frames of a phone (mean absolute) and, for the decoder, ``diffusion`` loss averaged over fixed times.
    """
    model.eval()
    clips = sorted(held_out.clips, key=lambda clip: clip.id)[:_CLIPS]
    batch = collate(held_out, clips, speaker_rows).to(device)
    prior = model.encode(batch.tokens, batch.token_lengths, batch.speakers)
    durations = (
        model.align(prior, batch.y, batch.frame_lengths) if known is None else known.stacked(clips).to(device)
    )
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
    lengths = batch.frame_lengths.clamp(max=size)
    crops = Crops(batch.y[:, :, :size], mu_y[:, :, :size], lengths, batch.speakers)
    condition = _condition(model, crops.mu_y, lengths, batch.speakers)
    if model.frame_prior is not None and batch.log_f0 is not None:
        token, position = frame_positions(durations, size)
        crops = replace(
            crops, hidden=gather_tokens(prior.hidden, token), position=position, log_f0=batch.log_f0[:, :size]
        )
        mean = frame_mean(model, crops)
        real = length_mask(lengths, size)
        condition = replace(condition, mu=mean.mu, features=mean.features, mask=real)
        figures["mean_distance"] = float(encoder_loss("l1", mean.mu, crops.y, real))
    total = 0.0
    for index, time in enumerate(TIMES):
        noise = torch.randn((len(clips), mu_y.shape[1], size), generator=generator_for(index)).to(device)
        t = torch.full((len(clips),), time, device=device)
        total += float(model.decoder.loss(crops.y, condition, t, noise))
    return {**figures, "diffusion": total / len(TIMES)}


def _duration_error(prior: Prior, durations: Tensor, tokens: Tensor) -> float:
    real = (prior.mask.squeeze(1) > 0) & (tokens != BLANK) & (tokens != SPACE)
    return float((prior.logw.exp() - durations).abs()[real].mean())
