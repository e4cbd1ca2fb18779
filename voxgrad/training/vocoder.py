"""Training of the package's own vocoders: clips, augmented copies of them, and the task of speaking their mels."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor, nn

from voxgrad.audio.augment import FORMANTS, PITCH, SPEED, equalised, respeed, shifted
from voxgrad.audio.io import Samples, Waveform, read_audio
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import f0_track
from voxgrad.device import autocast
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Advanced, Began, Emit, Ended
from voxgrad.files import atomic_write
from voxgrad.settings import MelSpec, VocoderStageSpec, VocoderTrainSpec
from voxgrad.training.dataset import generator_for
from voxgrad.training.optim import ProcessGroup, optimizer_step
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

_FULL = 32767
_GAIN_DB = (-12.0, 6.0)
_COLOURED = 0.5
_PEAK = 0.99
_TASK = "copies"


@dataclass(frozen=True)
class AudioClips:
    """Clips in memory, 16 bits a sample, one after another."""

    samples: np.ndarray[tuple[int], np.dtype[np.int16]]
    starts: np.ndarray[tuple[int], np.dtype[np.int64]]
    """Where each clip begins, and the end."""
    rate: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, waveforms: Sequence[Waveform], rate: int) -> "AudioClips":
        """Keeps clips; what passes full scale is made quieter."""
        quiet = [_bounded(waveform.samples) for waveform in waveforms]
        starts = np.cumsum([0, *(len(samples) for samples in quiet)])
        whole = np.concatenate(quiet) if quiet else np.zeros(0, np.float32)
        return cls((whole * _FULL).round().astype(np.int16), starts, rate)

    def joined(self, other: "AudioClips") -> "AudioClips":
        """These clips and those."""
        starts = np.concatenate((self.starts, other.starts[1:] + self.starts[-1]))
        return AudioClips(np.concatenate((self.samples, other.samples)), starts, self.rate)

    def clip(self, index: int) -> Samples:
        """All samples of a clip: (n,) float32, full scale at ±1."""
        return self.samples[self.starts[index] : self.starts[index + 1]].astype(np.float32) / np.float32(_FULL)

    def batch(self, size: int, length: int, seed: int, step: int) -> Tensor:
        """Random pieces, each as loud and coloured as chance has it; a clip that is shorter ends in silence.

        Args:
            size: pieces.
            length: samples of each.
            seed: of the run and stage.
            step: counted from 0; the same step always gives the same batch.

        Returns:
            (size, length).
        """
        drawn = torch.randint(2**62, (), generator=generator_for(seed, step, 2))
        generator = np.random.default_rng(int(drawn))
        pieces = np.zeros((size, length), np.float32)
        for row in range(size):
            clip = self.clip(int(generator.integers(len(self))))
            start = int(generator.integers(max(1, len(clip) - length + 1)))
            piece = clip[start : start + length]
            if generator.random() < _COLOURED:
                piece = equalised(Waveform(piece, self.rate), generator).samples
            gain = 10 ** (generator.uniform(*_GAIN_DB) / 20)
            pieces[row, : len(piece)] = piece * min(gain, _PEAK / max(float(np.abs(piece).max()), 1e-6))
        return torch.from_numpy(pieces)


def read_clips(paths: Sequence[Path], rate: int) -> AudioClips:
    """Reads clips of a dataset, which all have the same rate."""
    return AudioClips.of([read_audio(path) for path in paths], rate)


def augmented_copies(clips: AudioClips, count: int, seed: int, cache: Path, emit: Emit) -> AudioClips:
    """Makes every clip ``count`` times another speaker, or reads what was made before for this run.

    Args:
        clips: of one speaker or more.
        count: copies of each.
        seed: of all that is drawn.
        cache: a file of the run.
        emit: called with progress events.

    Raises:
        BadInputError: no clip could be shifted.
    """
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as stored:
            return AudioClips(stored["samples"], stored["starts"], clips.rate)
    emit(Began(_TASK, len(clips) * count, "copies"))
    work = (
        delayed(_copy)(clips.clip(index), clips.rate, (seed, index, copy))
        for copy in range(count)
        for index in range(len(clips))
    )
    made: list[Waveform] = []
    for done, augmented in enumerate(Parallel(n_jobs=os.cpu_count(), return_as="generator")(work), 1):
        if augmented is not None:
            made.append(augmented)
        emit(Advanced(_TASK, done))
    emit(Ended(_TASK))
    if not made:
        raise BadInputError("no clip is long enough to be augmented", "Prepare longer recordings.")
    copies = AudioClips.of(made, clips.rate)
    with atomic_write(cache) as temporary, temporary.open("wb") as file:
        np.savez(file, samples=copies.samples, starts=copies.starts)
    return copies


def _copy(samples: Samples, rate: int, key: tuple[int, ...]) -> Waveform | None:
    """One clip as another speaker; None where it is too short for Praat. Runs in a process of its own."""
    generator = np.random.default_rng(key)
    # Evenly over the logarithm: as many copies an interval lower as higher.
    pitch, formants, speed = (float(np.exp(generator.uniform(*np.log(limits)))) for limits in (PITCH, FORMANTS, SPEED))
    try:
        return respeed(shifted(Waveform(samples, rate), pitch, formants), speed)
    except VoxgradError:
        return None


def _bounded(samples: Samples) -> Samples:
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(_PEAK / peak) if peak > _PEAK else samples


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
    times = (np.arange(len(samples) // mel.hop_length, dtype=np.float64) + 0.5) * mel.seconds_per_frame
    track = f0_track(Waveform(samples.cpu().numpy(), mel.sample_rate), times)
    return torch.from_numpy(np.nan_to_num(track).astype(np.float32))
