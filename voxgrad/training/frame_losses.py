"""Losses of a model with a frame-level mean: pitch, voicing, the mean itself, and the diffusion around it."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from voxgrad.model.diffusion import Condition, length_mask
from voxgrad.model.frame_prior import FrameMean, FramePrior, Pitch, recorded_pitch
from voxgrad.model.gradtts import GradTTS, encoder_loss
from voxgrad.training.batches import Crops

_HUBER = 0.2  # z-scores: beyond it errors of the tracker, an octave off, count linearly


@dataclass(frozen=True, slots=True)
class FrameLosses:
    """Means over real frames."""

    mean: Tensor
    diffusion: Tensor
    pitch: Tensor | None
    """None where the pitch predictor does not learn."""
    voicing: Tensor | None


def frame_losses(model: GradTTS, crops: Crops, t: Tensor, noise: Tensor) -> FrameLosses:
    """The losses of crops under recorded durations and pitch.

    The score network sees the mean detached: its gradient would move the mean, which the prior is around.

    Args:
        model: with a frame prior.
        crops: with hidden, position and log_f0.
        t: (batch,) times.
        noise: like ``crops.y``.
    """
    prior, mask = _frame_prior(model), length_mask(crops.lengths, crops.y.shape[2])
    inputs, pitch = frame_inputs(model, crops)
    by_frame = mask.transpose(1, 2)
    mean = prior.mean(inputs, crops.mu_y, pitch, crops.speakers, by_frame)
    condition = Condition(mean.mu.detach(), mask, None, model.speaker(crops.speakers), features=mean.features)
    off, unsure = None, None
    if prior.pitch_output.weight.requires_grad:
        off, unsure = _pitch_losses(prior, inputs, pitch, crops.speakers, by_frame)
    return FrameLosses(
        mean=encoder_loss("l2", mean.mu, crops.y, mask),
        diffusion=model.decoder.loss(crops.y, condition, t, noise),
        pitch=off,
        voicing=unsure,
    )


def _pitch_losses(
    prior: FramePrior, inputs: Tensor, pitch: Pitch, rows: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Of z-scores of ln F0 where it is voiced, and of voicing; mask is (batch, frames, 1)."""
    scores, logits = prior.predict_pitch(inputs, mask)
    target = prior.pitch_scores(pitch.log_f0, rows).clamp(-4, 4)
    off = F.smooth_l1_loss(scores, target, reduction="none", beta=_HUBER) * pitch.voiced
    unsure = F.binary_cross_entropy_with_logits(logits, pitch.voiced, reduction="none") * mask[..., 0]
    return off.sum() / pitch.voiced.sum().clamp(min=1), unsure.sum() / mask.sum()


def frame_mean(model: GradTTS, crops: Crops) -> FrameMean:
    """The frame-level mean of crops under their recorded pitch."""
    prior = _frame_prior(model)
    inputs, pitch = frame_inputs(model, crops)
    mask = length_mask(crops.lengths, crops.y.shape[2])
    return prior.mean(inputs, crops.mu_y, pitch, crops.speakers, mask.transpose(1, 2))


def frame_inputs(model: GradTTS, crops: Crops) -> tuple[Tensor, Pitch]:
    """What pitch predictor and frame-level mean are told of crops, see `FramePrior.inputs`, and the recorded pitch."""
    if crops.hidden is None or crops.position is None or crops.log_f0 is None:
        raise ValueError("these crops have no frames' positions and pitch")
    inputs = _frame_prior(model).inputs(
        crops.hidden, crops.mu_y, crops.position, model.speaker(crops.speakers)
    )
    return inputs, recorded_pitch(crops.log_f0)


def _frame_prior(model: GradTTS) -> FramePrior:
    if model.frame_prior is None:
        raise ValueError("this model has no frame-level mean")
    return model.frame_prior
