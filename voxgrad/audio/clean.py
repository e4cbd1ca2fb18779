"""From a recording to clips for training, with a record of what was done; pauses, and cutting at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchaudio

from voxgrad.audio.io import Waveform, read_recording, resample
from voxgrad.audio.loudness import amplify, level_gain, loudness
from voxgrad.audio.measures import Measures, clipped_share, decay_times, measure, snr
from voxgrad.audio.praat import ANALYSIS_RATE, to_praat
from voxgrad.errors import BadInputError
from voxgrad.settings import AudioSpec

_SILENT_PEAK = 1e-3
"""−60 dBFS: in 16 bits, five are left."""
_NO_RUMBLE = -99.0
_RUMBLE_WINDOW = 8192  # samples at the mel's rate: frequencies 3 Hz apart
_LOWEST_PITCH = 100.0
_WINDOWS = 6.4
_STEP = 0.01
_SHORTEST_PAUSE = 0.15
_WIDENED = 0.3
_QUIET = 0.15  # of the way from the quiet frames to the loud ones, in dB

Span = tuple[float, float]
"""Start and stop in seconds."""


@dataclass(frozen=True)
class Source:
    """What a recording was like, and what was done to the whole of it."""

    rate: int
    """Hz."""
    channels: int
    """Of the file."""
    cancelling: bool
    """Its channels cancel each other out, so that only the loudest was taken."""
    clipped: float
    """Share of its samples that stand at its limit."""
    offset: float
    """Mean of its samples."""
    rumble_db: float
    """Power below the high-pass frequency, in dB of all power."""
    high_passed: bool
    """That power was filtered off."""
    seconds: float
    """Length."""


@dataclass(frozen=True, eq=False)
class OpenedRecording:
    """A recording at the mel's rate, without rumble, and where it came from."""

    waveform: Waveform
    """What clips are cut from."""
    source: Source
    """Where it came from."""
    noisy: Waveform | None = None
    """What it was before its noise was suppressed; None where that was not done."""

    def part(self, span: Span) -> "OpenedRecording":
        """The part between two times, in seconds."""
        noisy = None if self.noisy is None else part(self.noisy, span)
        return OpenedRecording(part(self.waveform, span), self.source, noisy)


@dataclass(frozen=True, eq=False)
class CleanedClip:
    """A clip, what was done to get it, and what it measures."""

    waveform: Waveform
    """The clip, at the mel's rate."""
    source: Source
    """The recording that it comes from."""
    span: Span
    """Seconds of the recording that it was looked for in."""
    leading: float
    """Seconds of silence before it, cut off."""
    trailing: float
    """Seconds of silence after it, cut off."""
    gain: float
    """Decibels that it was amplified by."""
    measures: Measures
    """Before that amplification."""
    decays: tuple[float, ...] = ()
    """T60 in seconds after the sounds that stop in it, see `voxgrad.audio.measures`."""
    snr_before: float | None = None
    """Signal-to-noise ratio in dB before noise was suppressed; None where that was not done."""


def clean(path: Path, spec: AudioSpec) -> CleanedClip:
    """Read and clean one recording that is one clip.

    Raises:
        BadInputError: as `open_recording` and `cut_clip`; or it is longer than a clip may be.
    """
    opened = open_recording(path, spec)
    cleaned = cut_clip(opened, (0.0, opened.waveform.seconds), spec, str(path))
    if cleaned.waveform.seconds > spec.max_seconds:
        message = f"{path} lasts {cleaned.waveform.seconds:.1f} s, but a clip may last {spec.max_seconds:g} s at most"
        raise BadInputError(message, "Split it into sentences, or raise max_seconds.")
    return cleaned


def open_recording(path: Path, spec: AudioSpec) -> OpenedRecording:
    """Read a recording, mix it to mono, resample it and filter rumble off.

    Raises:
        BadInputError: it cannot be read, is almost silent, or lasts longer than ``spec.max_minutes``.
    """
    recording = read_recording(path, 60 * spec.max_minutes)
    samples = recording.waveform.samples
    offset = float(samples.mean(dtype=np.float64))
    if max(samples.max() - offset, offset - samples.min()) < _SILENT_PEAK:
        raise BadInputError(f"{path} is almost silent", "Leave it out, or record it louder.")
    whole = resample(recording.waveform, spec.mel.sample_rate)
    whole = Waveform(whole.samples - np.float32(offset), whole.rate)
    rumble = _rumble(whole, spec.high_pass_hz)
    high_passed = rumble > spec.rumble_db
    source = Source(
        recording.waveform.rate,
        recording.channels,
        recording.cancelling,
        clipped_share(samples),
        offset,
        rumble,
        high_passed,
        recording.waveform.seconds,
    )
    return OpenedRecording(_high_passed(whole, spec.high_pass_hz) if high_passed else whole, source)


def cut_clip(opened: OpenedRecording, span: Span, spec: AudioSpec, name: str) -> CleanedClip:
    """Trim, level and measure the part ``span`` (seconds) of a recording; errors call it ``name``.

    Raises:
        BadInputError: it is too short once trimmed, or silent.
    """
    piece = part(opened.waveform, span)
    if not np.abs(piece.samples).max() >= _SILENT_PEAK:
        raise BadInputError(f"{name} is almost silent", "Leave it out, or record it louder.")
    analysed = resample(piece, min(piece.rate, ANALYSIS_RATE))  # once, for trimming and measuring
    start, stop = speech_span(analysed, spec) if spec.trim else (0.0, piece.seconds)
    clip = part(piece, (start, stop))
    if clip.seconds < spec.min_seconds:
        message = f"{name} has {clip.seconds:.2f} s of audio, but a clip needs {spec.min_seconds:g} s"
        raise BadInputError(message, "Leave it out, or lower min_seconds.")
    measured = loudness(clip)
    gain = level_gain(clip, measured, spec)
    return CleanedClip(
        amplify(clip, gain),
        opened.source,
        span,
        start,
        max(0.0, piece.seconds - start - clip.seconds),
        gain,
        measure(piece, clip, part(analysed, (start, stop)), measured),
        tuple(decay_times(piece)),
        None if opened.noisy is None else round(snr(part(opened.noisy, span)), 2),
    )


def _high_passed(waveform: Waveform, frequency: float) -> Waveform:
    """Butterworth of the second order, twice."""
    samples = torch.from_numpy(waveform.samples)
    for _ in range(2):
        samples = torchaudio.functional.highpass_biquad(samples, waveform.rate, frequency)
    return Waveform(samples.numpy(), waveform.rate)


def _rumble(waveform: Waveform, frequency: float) -> float:
    """The power below a frequency, in dB of the whole."""
    samples = waveform.samples
    size = min(_RUMBLE_WINDOW, len(samples))
    window = np.hanning(size).astype(np.float32)
    power = np.zeros(size // 2 + 1)
    for start in range(0, len(samples) - size + 1, size):
        power += np.square(np.abs(np.fft.rfft(samples[start : start + size] * window)))
    share = power[np.fft.rfftfreq(size, 1 / waveform.rate) < frequency].sum() / max(power.sum(), 1e-12)
    return round(max(_NO_RUMBLE, float(10 * np.log10(max(share, 1e-10)))), 1)


_DENOISER_RATE = 48000


def require_denoiser() -> None:
    """Check that noise can be suppressed.

    Raises:
        BadInputError: pyrnnoise is not installed.
    """
    if find_spec("pyrnnoise") is None:
        raise BadInputError("pyrnnoise is not installed", "Install it: pip install 'voxgrad[denoise]'.")


def denoise(waveform: Waveform) -> Waveform:
    """Suppress steady and sudden noise; rate, length and place in time stay as they are."""
    rnnoise: Any = import_module("pyrnnoise.rnnoise")
    samples = resample(waveform, _DENOISER_RATE).samples
    size = rnnoise.FRAME_SIZE
    # Sound comes out two frames later, in 16 bits.
    frames = np.pad(samples, (0, 2 * size + -len(samples) % size)).reshape(-1, size)
    whole = (np.clip(frames, -1, 1) * 32767).astype(np.int16)
    state = rnnoise.create()
    try:
        suppressed = np.concatenate([rnnoise.process_mono_frame(state, frame)[0] for frame in whole])
    finally:
        rnnoise.destroy(state)
    suppressed = suppressed[2 * size : 2 * size + len(samples)].astype(np.float32) / np.float32(32767)
    back = resample(Waveform(suppressed, _DENOISER_RATE), waveform.rate).samples
    return Waveform(np.resize(back, len(waveform.samples)).astype(np.float32), waveform.rate)


def speech_span(waveform: Waveform, spec: AudioSpec) -> Span:
    """Find the first and the last sound, with a margin.

    Sound is where Praat's intensity lies less than ``-spec.trim_threshold_db`` below its maximum. A clip too
    short for Praat's window (64 ms) sounds throughout.

    Returns:
        Start and stop, within the sound and never equal.
    """
    if waveform.seconds <= _WINDOWS / _LOWEST_PITCH + _STEP:
        return 0.0, waveform.seconds
    times, decibels = _intensity(waveform)
    sounding = times[decibels >= decibels.max() + spec.trim_threshold_db]
    start = max(0.0, float(sounding[0]) - spec.trim_margin)
    return start, min(waveform.seconds, float(sounding[-1]) + spec.trim_margin + 1 / waveform.rate)


def part(waveform: Waveform, span: Span) -> Waveform:
    """The part between two times, as a copy, so that it does not keep the rest in memory."""
    first, last = (round(time * waveform.rate) for time in span)
    return Waveform(waveform.samples[first : max(last, first + 1)].copy(), waveform.rate)


def pauses(waveform: Waveform) -> list[Span]:
    """Find the stretches of at least 0.15 s in which nobody speaks, in order; those at the ends too.

    Quiet is near the level of the recording's own background: its 5th percentile of Praat's intensity, and 15 % of
    the way from there to the 95th, which speech lies near.
    """
    times, decibels = _intensity(waveform)
    low, high = np.percentile(decibels, [5, 95])
    quiet = np.concatenate([[False], decibels < low + max(_QUIET * (high - low), 1.0), [False]])
    borders = np.flatnonzero(np.diff(quiet.astype(np.int8)))
    found = zip(times[borders[::2]], times[borders[1::2] - 1], strict=True)
    return [(float(start), float(stop)) for start, stop in found if stop - start >= _SHORTEST_PAUSE]


def cutting_pauses(waveform: Waveform, spec: AudioSpec) -> list[Span]:
    """Choose the pauses at which a long recording is cut, in order.

    It is cut at every pause of ``spec.pause_seconds``, then every piece that is longer than ``spec.max_seconds`` at
    its longest pause, until none is. A piece without any pause stays as long as it is. Silence at the ends is no
    pause.
    """
    first, last = _SHORTEST_PAUSE, waveform.seconds - _SHORTEST_PAUSE
    found = [pause for pause in pauses(waveform) if first < pause[0] and pause[1] < last]
    chosen = [pause for pause in found if pause[1] - pause[0] >= spec.pause_seconds]
    spans = pieces(chosen, waveform.seconds)
    while spans:
        start, stop = spans.pop()
        inside = [pause for pause in found if start < pause[0] and pause[1] < stop and pause not in chosen]
        if stop - start <= spec.max_seconds or not inside:
            continue
        longest = max(inside, key=lambda pause: pause[1] - pause[0])
        chosen.append(longest)
        spans += [(start, _middle(longest)), (_middle(longest), stop)]
    return sorted(chosen)


def into_silence(span: Span, silences: Sequence[Span], around: Span) -> Span:
    """Widen a span that somebody marked a little too narrow or wide, so that it begins and ends in silence.

    It grows by at most 0.3 s at each end, not beyond ``around``, where the spans before and after end and begin. Where
    none of the ``silences`` is so near, an end stays where it is.

    >>> into_silence((1.0, 2.0), [(0.5, 0.9), (1.9, 2.6)], (0.0, 3.0))
    (0.7, 2.3)
    """
    start, stop = span
    before = [silence for silence in silences if silence[0] < start and silence[1] > start - _WIDENED]
    after = [silence for silence in silences if silence[1] > stop and silence[0] < stop + _WIDENED]
    if before:
        start = max(before[-1][0], start - _WIDENED, min(around[0], start))
    if after:
        stop = min(after[0][1], stop + _WIDENED, max(around[1], stop))
    return round(start, 6), round(stop, 6)


def pieces(cuts: Sequence[Span], seconds: float) -> list[Span]:
    """The spans between the middles of the pauses.

    >>> pieces([(1.0, 2.0)], 4.0)
    [(0.0, 1.5), (1.5, 4.0)]
    """
    return list(pairwise([0.0, *map(_middle, cuts), seconds]))


def _middle(span: Span) -> float:
    return (span[0] + span[1]) / 2


def _intensity(waveform: Waveform) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times in seconds and decibels, every 10 ms."""
    intensity = to_praat(waveform).to_intensity(_LOWEST_PITCH, _STEP)
    return intensity.xs(), intensity.values[0]
