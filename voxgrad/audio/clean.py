"""From a recording to a clip that can be learnt from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxgrad.audio.cut import trim
from voxgrad.audio.io import Waveform, read_audio, read_header, resample
from voxgrad.audio.level import amplify, level_gain
from voxgrad.errors import BadInputError
from voxgrad.specs import AudioSpec

_SILENT_PEAK = 1e-3
"""−60 dBFS: in 16 bits, five are left."""


@dataclass(frozen=True)
class Cleaned:
    """A clip, and what was done to get it.

    Attributes:
        waveform: the clip, at the mel's rate.
        rate: Hz of the recording.
        channels: of the recording.
        trimmed: seconds of silence that were cut off.
        gain: dB that it was amplified by.
    """

    waveform: Waveform
    rate: int
    channels: int
    trimmed: float
    gain: float


def clean(path: Path, spec: AudioSpec) -> Cleaned:
    """Read, resample, trim and level one recording.

    A recording of more than twice ``spec.max_seconds`` is refused unread, whatever silence it may hold.

    Raises:
        BadInputError: it cannot be read, is as good as silent, or is too short or too long once trimmed.
    """
    header = read_header(path)
    if header.seconds > 2 * spec.max_seconds:
        raise _too_long(path, header.seconds, spec)
    recording = read_audio(path)
    if np.abs(recording.samples - recording.samples.mean()).max() < _SILENT_PEAK:
        raise BadInputError(f"{path} is as good as silent", "Leave it out, or record it louder.")
    whole = resample(recording, spec.mel.sample_rate)
    clip = trim(whole, spec) if spec.trim else whole
    if clip.seconds < spec.min_seconds:
        message = f"{path} has {clip.seconds:.2f} s of sound, and a clip needs {spec.min_seconds:g} s"
        raise BadInputError(message, "Leave it out, or lower min_seconds.")
    if clip.seconds > spec.max_seconds:
        raise _too_long(path, clip.seconds, spec)
    gain = level_gain(clip, spec)
    trimmed = whole.seconds - clip.seconds
    return Cleaned(amplify(clip, gain), header.rate, header.channels, trimmed, gain)


def _too_long(path: Path, seconds: float, spec: AudioSpec) -> BadInputError:
    message = f"{path} lasts {seconds:.1f} s, more than the {spec.max_seconds:g} s that a clip may"
    return BadInputError(message, "Split it into sentences, or raise max_seconds.")
