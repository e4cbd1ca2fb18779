"""Training of the package's own vocoders: the task, its losses, and discriminators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.audio.io import Waveform
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import f0_of_frames
from voxgrad.device import autocast
from voxgrad.settings import MelSpec, VocoderStageSpec, VocoderTrainSpec
from voxgrad.training.optim import ProcessGroup, optimizer_step
from voxgrad.training.vocoder_clips import AudioClips
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
    stages: tuple[VocoderStageSpec, ...] = field(init=False)
    modules: dict[str, nn.Module] = field(init=False)
    """See :class:`TrainingTask`; discriminators are kept only where a stage needs them."""
    _discriminators: "Discriminators" = field(init=False)
    _optimizers: dict[str, torch.optim.Optimizer] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.stages = self.settings.stages
        for stage in range(len(self.stages)):
            self._learner(stage)  # which refuses what the vocoder has not
        self.modules = {"model": self.vocoder.network.to(self.device)}
        self._discriminators = Discriminators().to(self.device)
        if any(stage.adversarial for stage in self.stages):
            self.modules["discriminators"] = self._discriminators

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
            name: torch.optim.AdamW(learner.parameters(), lr=self.stages[stage].learning_rate, betas=_BETAS, fused=True)
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
        self._update(self._learner(stage), "optimizer", total)
        values = torch.stack([value.detach() for value in (losses | figures).values()])
        self.group.all_reduce_mean([values])
        return dict(zip(losses | figures, values.tolist(), strict=True))

    def _learner(self, stage: int) -> nn.Module:
        """What the stage trains."""
        return self.vocoder.learner(pitch=self.stages[stage].pitch)

    def _update(self, learner: nn.Module, optimizer: str, loss: Tensor) -> None:
        bound = self.settings.clip_gradient
        optimizer_step(loss, [learner.parameters()], self._optimizers[optimizer], bound, self.group)

    def _pitch_step(self, stage: int, real: Tensor, wanted: Tensor) -> dict[str, float]:
        """One step of the pitch estimator alone, against Praat's pitch."""
        estimator: Any = self._learner(stage)
        pitch = torch.stack([_praat_pitch(row, self.vocoder.mel) for row in real]).to(self.device)
        with autocast(self.device, self.settings.precision):
            voicing, logits = estimator(wanted)
        loss = pitch_loss(voicing, logits, pitch, estimator.centres)
        self._update(estimator, "optimizer", loss)
        value = loss.detach()
        self.group.all_reduce_mean([value])
        return {"pitch": float(value)}

    def _train_discriminators(self, made: Tensor, real: Tensor) -> Tensor:
        """The discriminators' own step."""
        with autocast(self.device, self.settings.precision):
            loss = discriminator_loss(self._discriminators(real), self._discriminators(made))
        self._update(self._discriminators, "listeners_optimizer", loss)
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
    waveform = Waveform(samples.cpu().numpy(), mel.sample_rate)
    return torch.from_numpy(f0_of_frames(waveform, len(samples) // mel.hop_length, mel.seconds_per_frame)).float()


RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
"""Frame and hop of each resolution, in samples."""
PERIODS = (2, 3, 5, 7, 11)

_PITCH_DEVIATION = 0.8  # bins, of the target around the recorded pitch
_POWER = 1e-7
_SLOPE = 0.1

Judged = tuple[Tensor, list[Tensor]]
"""Scores, and what each layer saw."""


def multi_resolution_stft_loss(made: Tensor, real: Tensor) -> Tensor:
    """Multi-resolution distance of magnitudes: Yamamoto, Song and Kim (2020), equations 5 to 8.

    Log-magnitude distance plus spectral convergence of (batch, samples), the mean over resolutions: ().
    """
    total = torch.zeros((), device=made.device)
    for size, hop in RESOLUTIONS:
        ours, theirs = (magnitudes(sound, size, hop) for sound in (made, real))
        apart = (ours - theirs).flatten(1).norm(dim=1) / theirs.flatten(1).norm(dim=1)
        total = total + (ours.log() - theirs.log()).abs().mean() + apart.mean()
    return total / len(RESOLUTIONS)


def magnitudes(samples: Tensor, size: int, hop: int) -> Tensor:
    """(batch, samples) → (batch, bins, frames), never zero."""
    window = torch.hann_window(size, device=samples.device)
    spectrum = torch.stft(samples, size, hop, size, window, pad_mode="constant", return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + _POWER).sqrt()


class PeriodDiscriminator(nn.Module):
    """Looks at every ``period``-th sample: Kong, Kim and Bae (2020), section 2.3, with fewer channels."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        sizes = (1, width, 2 * width, 4 * width, 8 * width)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(before, after, (5, 1), (3, 1), (2, 0)))
            for before, after in pairwise(sizes)
        )
        self.score = nn.utils.parametrizations.weight_norm(nn.Conv2d(sizes[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, samples: Tensor) -> Judged:
        """(batch, samples) → scores and layers."""
        padded = F.pad(samples[:, None], (0, -samples.shape[1] % self.period), mode="reflect")
        x = padded.reshape(len(samples), 1, -1, self.period)
        seen = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), _SLOPE)
            seen.append(x)
        return self.score(x), seen


class ResolutionDiscriminator(nn.Module):
    """Looks at magnitudes of one resolution: Jang et al. (2021), section 2.3."""

    def __init__(self, size: int, hop: int, width: int) -> None:
        super().__init__()
        self.size, self.hop = size, hop
        strides = ((1, 1), (2, 1), (2, 1), (2, 1), (1, 1))
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(
                nn.Conv2d(width if index else 1, width, (9 if stride[0] > 1 else 3, 3), stride, padding="valid")
            )
            for index, stride in enumerate(strides)
        )
        self.score = nn.utils.parametrizations.weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, samples: Tensor) -> Judged:
        """(batch, samples) → scores and layers."""
        x = magnitudes(samples, self.size, self.hop)[:, None].log()
        seen = []
        for layer in self.layers:
            height, breadth = layer.kernel_size  # type: ignore[misc]
            x = F.leaky_relu(layer(F.pad(x, (breadth // 2,) * 2 + (height // 2,) * 2)), _SLOPE)
            seen.append(x)
        return self.score(x), seen


class Discriminators(nn.Module):
    """Some of each, narrow enough for a processor."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.each = nn.ModuleList(
            [PeriodDiscriminator(period, width) for period in PERIODS]
            + [ResolutionDiscriminator(size, hop, width) for size, hop in RESOLUTIONS]
        )

    def forward(self, samples: Tensor) -> list[Judged]:
        """(batch, samples) → what each says."""
        return [discriminator(samples) for discriminator in self.each]


def discriminator_loss(real: list[Judged], made: list[Judged]) -> Tensor:
    """What discriminators minimise, the hinge loss of Lim and Ye (2017), equation 6: ()."""
    each = [F.relu(1 - r).mean() + F.relu(1 + m).mean() for (r, _), (m, _) in zip(real, made, strict=True)]
    return torch.stack(each).mean()


def generator_loss(made: list[Judged]) -> Tensor:
    """What the vocoder minimises in turn: ()."""
    return torch.stack([F.relu(1 - score).mean() for score, _ in made]).mean()


def feature_matching_loss(real: list[Judged], made: list[Judged]) -> Tensor:
    """How differently the discriminators see both: Kumar et al. (2019), equation 4: ()."""
    each = [
        (ours - theirs.detach()).abs().mean()
        for (_, seen), (_, seen_made) in zip(real, made, strict=True)
        for theirs, ours in zip(seen, seen_made, strict=True)
    ]
    return torch.stack(each).mean()


def pitch_loss(voicing: Tensor, logits: Tensor, pitch: Tensor, centres: Tensor) -> Tensor:
    """Cross-entropy of voicing and of bins of pitch, blurred around the true one as in CREPE (Kim et al., 2018): ().

    Logits are (batch, frames) and (batch, frames, bins), the pitch (batch, frames) in Hz, 0 where unvoiced; the centres
    of the bins (bins,) in ln Hz, evenly spaced.
    """
    voiced = (pitch > 0).float()
    at = (pitch.clamp(min=1.0).log() - centres[0]) / (centres[1] - centres[0])
    bins = torch.arange(len(centres), device=logits.device)
    target = (-0.5 * ((bins - at[..., None]) / _PITCH_DEVIATION).square()).softmax(-1)
    wrong = -(target * logits.log_softmax(-1)).sum(-1)
    return F.binary_cross_entropy_with_logits(voicing, voiced) + (wrong * voiced).sum() / voiced.sum().clamp(min=1)
