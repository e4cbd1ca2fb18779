"""Validation that can be compared from one time to the next: fixed clips, fixed times, fixed noise."""

from collections.abc import Mapping

import torch
from torch import Tensor

from voxgrad.model import monotonic_alignment
from voxgrad.model.diffusion import Condition
from voxgrad.model.gradtts import GradTTS, Prior, duration_loss
from voxgrad.model.masks import length_mask, official_extent
from voxgrad.text.symbols import BLANK, SPACE
from voxgrad.training.alignment import Durations
from voxgrad.training.batches import collate, generator_for
from voxgrad.training.dataset import Corpus

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
    mu_y = monotonic_alignment.expand(prior.mu_x, durations, frames)
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
    condition = Condition(
        mu_y[:, :, :size], mask[:, :, :size], official_extent(lengths, size), model.speaker(batch.speakers)
    )
    total = 0.0
    for index, time in enumerate(TIMES):
        noise = torch.randn((len(clips), mu_y.shape[1], size), generator=generator_for(index)).to(device)
        t = torch.full((len(clips),), time, device=device)
        total += float(model.decoder.loss(batch.y[:, :, :size], condition, t, noise))
    return {**figures, "diffusion": total / len(TIMES)}


def _duration_error(prior: Prior, durations: Tensor, tokens: Tensor) -> float:
    real = (prior.mask.squeeze(1) > 0) & (tokens != BLANK) & (tokens != SPACE)
    return float((prior.logw.exp() - durations).abs()[real].mean())
