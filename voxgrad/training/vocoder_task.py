"""Training of the package's own vocoders: the task of making audio that fits recordings, from their mels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxgrad.audio.io import Waveform
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import f0_track
from voxgrad.device import autocast
from voxgrad.settings import MelSpec, VocoderStageSpec, VocoderTrainSpec
from voxgrad.training.distributed import ProcessGroup
from voxgrad.training.optimizer import optimizer_step
from voxgrad.training.vocoder_data import AudioClips
from voxgrad.training.vocoder_losses import (
    Discriminators,
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    multi_resolution_stft_loss,
    pitch_loss,
)
from voxgrad.vocoder.phase import istft
from voxgrad.vocoder.registry import TrainableVocoder

SPECTRAL_WEIGHTS = {"spectral": 1.0, "mel": 5.0}
ADVERSARIAL_WEIGHTS = {"spectral": 0.3, "mel": 10.0, "fooling": 1.0, "seen": 10.0}
"""Of each distance. Distances of magnitudes have their least in the middle of all that could be; discriminators hear
that nobody speaks so, and weigh more where there are any."""
_EDGE = 8  # frames at both ends of a crop that only the silence around it made what they are
_VALIDATED = 8
_LONGEST = 512  # frames
_BETAS = (0.8, 0.99)


@dataclass
class VocoderTask:
    """A vocoder, what it learns from and how; see :class:`voxgrad.training.trainer.TrainingTask`."""

    vocoder: TrainableVocoder
    clips: AudioClips
    held_out: Sequence[Tensor]
    """Complete clips (samples,)."""
    settings: VocoderTrainSpec
    device: torch.device
    group: ProcessGroup = field(default_factory=ProcessGroup)
    _discriminators: Discriminators = field(init=False)
    _optimizers: dict[str, torch.optim.Optimizer] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for stage in range(len(self.stages)):
            self._learner(stage)  # which refuses what the vocoder has not
        self.vocoder.network.to(self.device)
        self._discriminators = Discriminators().to(self.device)

    @property
    def stages(self) -> tuple[VocoderStageSpec, ...]:
        """See :class:`TrainingTask`."""
        return self.settings.stages

    @property
    def modules(self) -> dict[str, nn.Module]:
        """See :class:`TrainingTask`; discriminators are kept only where a stage needs them."""
        modules: dict[str, nn.Module] = {"model": self.vocoder.network}
        if any(stage.adversarial for stage in self.stages):
            modules["discriminators"] = self._discriminators
        return modules

    def name(self, stage: int) -> str:
        """See :class:`TrainingTask`."""
        if self.stages[stage].pitch:
            return "pitch"
        return "adversarial" if self.stages[stage].adversarial else "spectral"

    def begin(self, stage: int) -> Mapping[str, torch.optim.Optimizer]:
        """See :class:`TrainingTask`."""
        self.group.check_batch_size(self.stages[stage].batch_size)
        learners = {"optimizer": self._learner(stage)}
        if self.stages[stage].adversarial:
            learners["listeners_optimizer"] = self._discriminators
        self._optimizers = {
            name: torch.optim.AdamW(
                learner.parameters(), lr=self.stages[stage].learning_rate, betas=_BETAS, fused=True
            )
            for name, learner in learners.items()
        }
        return self._optimizers

    def step(self, stage: int, step: int, seed: int, generator: torch.Generator) -> dict[str, float]:
        """See :class:`TrainingTask`."""
        settings, mel = self.stages[stage], self.vocoder.mel
        length = settings.crop * mel.hop_length
        real = self.group.shard(self.clips.batch(settings.batch_size, length, seed, step)).to(self.device)
        wanted = log_mel(real, mel)
        self.vocoder.network.train()
        if settings.pitch:
            return self._pitch_step(stage, real, wanted)
        with autocast(self.device, self.settings.precision):
            spectrum = self.vocoder.training_spectrum(wanted, generator)
        edge = _EDGE * mel.hop_length
        made, real = istft(spectrum, mel)[:, edge:-edge], real[:, edge:-edge]
        figures: dict[str, Tensor] = {}
        if settings.adversarial:
            figures["telling"] = self._train_discriminators(made.detach(), real)
        losses = self._losses(made, real, adversarial=settings.adversarial)
        weights = ADVERSARIAL_WEIGHTS if settings.adversarial else SPECTRAL_WEIGHTS
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        self._update(stage, total)
        values = torch.stack([value.detach() for value in (losses | figures).values()])
        self.group.all_reduce_mean([values])
        return dict(zip(losses | figures, values.tolist(), strict=True))

    def _learner(self, stage: int) -> nn.Module:
        """What the stage trains."""
        return self.vocoder.learner(pitch=self.stages[stage].pitch)

    def _update(self, stage: int, loss: Tensor) -> None:
        optimizer_step(
            loss,
            [self._learner(stage).parameters()],
            self._optimizers["optimizer"],
            self.settings.clip_gradient,
            self.group,
        )

    def _pitch_step(self, stage: int, real: Tensor, wanted: Tensor) -> dict[str, float]:
        """One step of the pitch estimator alone, against Praat's pitch."""
        estimator: Any = self._learner(stage)
        pitch = torch.stack([_praat_pitch(row, self.vocoder.mel) for row in real]).to(self.device)
        with autocast(self.device, self.settings.precision):
            voicing, logits = estimator(wanted)
        loss = pitch_loss(voicing, logits, pitch, estimator.centres)
        self._update(stage, loss)
        value = loss.detach()
        self.group.all_reduce_mean([value])
        return {"pitch": float(value)}

    def _train_discriminators(self, made: Tensor, real: Tensor) -> Tensor:
        """The discriminators' own step."""
        with autocast(self.device, self.settings.precision):
            loss = discriminator_loss(self._discriminators(real), self._discriminators(made))
        optimizer_step(
            loss,
            [self._discriminators.parameters()],
            self._optimizers["listeners_optimizer"],
            self.settings.clip_gradient,
            self.group,
        )
        return loss

    def _losses(self, made: Tensor, real: Tensor, *, adversarial: bool) -> dict[str, Tensor]:
        mel = self.vocoder.mel
        losses = {
            "spectral": multi_resolution_stft_loss(made, real),
            "mel": (log_mel(made, mel) - log_mel(real, mel)).abs().mean(),
        }
        if adversarial:
            self._discriminators.requires_grad_(requires_grad=False)
            with autocast(self.device, self.settings.precision):
                said, truth = self._discriminators(made), self._discriminators(real)
            self._discriminators.requires_grad_()
            losses |= {"fooling": generator_loss(said), "seen": feature_matching_loss(truth, said)}
        return losses

    @torch.no_grad()
    def validate(self, stage: int) -> dict[str, float]:
        """Copies of held-out clips, made as they will be in use: spectral and mel distance."""
        del stage
        mel = self.vocoder.mel
        self.vocoder.network.eval()
        spectral = distance = 0.0
        clips = self.held_out[:_VALIDATED]
        for samples in clips:
            frames = min(len(samples) // mel.hop_length, _LONGEST)
            real = samples[None, : frames * mel.hop_length].to(self.device)
            wanted = log_mel(real, mel)
            made = self.vocoder(wanted).clone()
            spectral += float(multi_resolution_stft_loss(made, real))
            distance += float((log_mel(made, mel) - wanted).abs().mean())
        return {"spectral": spectral / len(clips), "mel": distance / len(clips)}

    def judged_by(self, stage: int) -> str:
        """See :class:`TrainingTask`."""
        del stage
        return "spectral"


def _praat_pitch(samples: Tensor, mel: MelSpec) -> Tensor:
    """Hz of every frame of (samples,), 0 where unvoiced: (frames,)."""
    times = (np.arange(len(samples) // mel.hop_length, dtype=np.float64) + 0.5) * mel.seconds_per_frame
    track = f0_track(Waveform(samples.cpu().numpy(), mel.sample_rate), times)
    return torch.from_numpy(np.nan_to_num(track).astype(np.float32))
