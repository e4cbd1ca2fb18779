"""Training data of the vocoder: clips of a dataset, and augmented copies of them as other speakers."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor

from voxgrad.audio.augment import FORMANTS, PITCH, SPEED, equalised, respeed, shifted
from voxgrad.audio.io import Samples, Waveform, read_audio
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Advanced, Began, Emit, Ended
from voxgrad.training.batches import generator_for

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
        quiet = [_bounded(one.samples) for one in waveforms]
        starts = np.cumsum([0, *(len(samples) for samples in quiet)])
        whole = np.concatenate(quiet) if quiet else np.zeros(0, np.float32)
        return cls((whole * _FULL).round().astype(np.int16), starts, rate)

    def joined(self, other: "AudioClips") -> "AudioClips":
        """These clips and those."""
        starts = np.concatenate((self.starts, other.starts[1:] + self.starts[-1]))
        return AudioClips(np.concatenate((self.samples, other.samples)), starts, self.rate)

    def clip(self, index: int) -> Samples:
        """All samples of a clip: (n,) float32, full scale at ±1."""
        return self.samples[self.starts[index] : self.starts[index + 1]].astype(np.float32) / np.float32(
            _FULL
        )

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
        cache: a file of the run; written beside and renamed.
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
    for done, one in enumerate(Parallel(n_jobs=os.cpu_count(), return_as="generator")(work), 1):
        if one is not None:
            made.append(one)
        emit(Advanced(_TASK, done))
    emit(Ended(_TASK))
    if not made:
        raise BadInputError("no clip is long enough to be augmented", "Prepare longer recordings.")
    copies = AudioClips.of(made, clips.rate)
    beside = cache.with_name(f"{cache.name}.{uuid.uuid4().hex}.npz")
    np.savez(beside, samples=copies.samples, starts=copies.starts)
    beside.rename(cache)
    return copies


def _copy(samples: Samples, rate: int, key: tuple[int, ...]) -> Waveform | None:
    """One clip as another speaker; None where it is too short for Praat. Runs in a process of its own."""
    generator = np.random.default_rng(key)
    # Evenly over the logarithm: as many copies an interval lower as higher.
    pitch, formants, speed = (
        float(np.exp(generator.uniform(*np.log(limits)))) for limits in (PITCH, FORMANTS, SPEED)
    )
    try:
        return respeed(shifted(Waveform(samples, rate), pitch, formants), speed)
    except VoxgradError:
        return None


def _bounded(samples: Samples) -> Samples:
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(_PEAK / peak) if peak > _PEAK else samples
