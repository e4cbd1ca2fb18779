"""Training data of a vocoder: clips, and copies with another pitch, formants, speed and equalisation."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import parselmouth
import torch
from joblib import Parallel, delayed
from torch import Tensor

from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.audio.praat import shift
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Emit, tracked
from voxgrad.files import atomic_write
from voxgrad.training.dataset import generator_for

PITCH, FORMANTS, SPEED = (0.6, 1.5), (0.85, 1.2), (0.9, 1.1)
"""Factors to draw from. Beyond these of the pitch, overlap-add is audible; those of the formants span adults."""
_FULL = 32767
_GAIN_DB = (-12.0, 6.0)
_COLOURED = 0.5
_PEAK = 0.99
_SHORTEST = 0.06
_KNOTS = (125.0, 500.0, 2000.0, 8000.0)
_GAIN = 6.0
_RINGING = 0.1


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
        """Random pieces, each as loud and coloured as chance has it: (size, length).

        The same step gives the same batch. A clip that is shorter ends in silence.
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


def augmented_copies(clips: AudioClips, count: int, seed: int, cache: Path, emit: Emit) -> AudioClips:
    """Makes every clip ``count`` times another speaker, or reads from ``cache`` what was made before for this run.

    Raises:
        BadInputError: no clip could be shifted.
    """
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as stored:
            return AudioClips(stored["samples"], stored["starts"], clips.rate)
    work = (
        delayed(_copy)(clips.clip(index), clips.rate, (seed, index, copy))
        for copy in range(count)
        for index in range(len(clips))
    )
    done = Parallel(n_jobs=os.cpu_count(), return_as="generator")(work)
    copied = tracked(done, "copies", "copies", emit, len(clips) * count)
    made = [augmented for augmented in copied if augmented is not None]
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


def shifted(waveform: Waveform, pitch: float, formants: float) -> Waveform:
    """Make another speaker of a speaker, by Praat's overlap-add ("Change gender"): as many samples.

    The pitch of an unvoiced clip stays as it is; its formants move. Formants that move down leave the top of the
    spectrum empty, above ``formants * rate / 2``: there the original's is kept, because recordings are not empty.

    Raises:
        BadInputError: the clip is shorter than 60 ms.
    """
    if waveform.seconds < _SHORTEST:
        message = f"a clip of {waveform.seconds:.3f} s is too short to be shifted"
        raise BadInputError(message, f"Give at least {_SHORTEST:g} s.")
    with warnings.catch_warnings():  # of sounds without a voice
        warnings.simplefilter("ignore", parselmouth.PraatWarning)
        changed = shift(waveform, pitch, formants).samples
    length = len(waveform.samples)
    changed = np.pad(changed[:length], (0, max(0, length - len(changed))))
    return Waveform(_with_top(changed, waveform.samples, formants), waveform.rate)


def equalised(waveform: Waveform, generator: np.random.Generator) -> Waveform:
    """Equalise audio as another microphone and room might, by at most 6 dB anywhere.

    Gains are drawn evenly at 125, 500, 2000 and 8000 Hz, and lie on lines between (decibels over octaves).

    Returns:
        As many samples, without delay; peaks may pass full scale.
    """
    length, room = len(waveform.samples), round(_RINGING * waveform.rate)
    gains = generator.uniform(-_GAIN, _GAIN, len(_KNOTS))
    frequencies = np.fft.rfftfreq(length + room, 1 / waveform.rate)
    octaves = np.log2(np.maximum(frequencies, _KNOTS[0]))
    response = 10 ** (np.interp(octaves, np.log2(_KNOTS), gains) / 20)
    # The response has no phase, so it rings both ways; what it rings before the start lies in the room.
    coloured = np.fft.irfft(np.fft.rfft(waveform.samples, length + room) * response, length + room)
    return Waveform(coloured[:length].astype(np.float32), waveform.rate)


def respeed(waveform: Waveform, speed: float) -> Waveform:
    """Play audio faster or slower, as a tape, at a speed in hundredths; (n,) becomes (ceil(n / speed),) samples."""
    # Only the ratio counts to the filter, and one of small numbers keeps it short.
    played = resample(Waveform(waveform.samples, round(100 * speed)), 100)
    return Waveform(played.samples, waveform.rate)


def _with_top(changed: Samples, original: Samples, formants: float) -> Samples:
    """Fill what formants below 1 left empty at the top; all (n,)."""
    if formants >= 1:
        return changed
    spectrum, theirs = np.fft.rfft(changed), np.fft.rfft(original)
    border = int(formants * len(spectrum))
    spectrum[border:] = theirs[border:]
    return np.fft.irfft(spectrum, len(original)).astype(np.float32)
