"""Augmentation of recordings: pitch, formants, speed and equalisation, so that a vocoder holds for unseen voices."""

import warnings

import numpy as np
import parselmouth

from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.audio.praat import shift
from voxgrad.errors import BadInputError

PITCH = (0.6, 1.5)
"""Factors of the pitch to draw from: beyond them, overlap-add is audible."""
FORMANTS = (0.85, 1.2)
"""Factors of the formants to draw from: about the span of adults."""
SPEED = (0.9, 1.1)
"""Factors of the speed to draw from."""

_PITCH_LIMITS = (0.3, 3.0)
_FORMANT_LIMITS = (0.7, 1.4)
_SPEED_LIMITS = (0.5, 2.0)
_SHORTEST = 0.06
_KNOTS = (125.0, 500.0, 2000.0, 8000.0)
_GAIN = 6.0
_RINGING = 0.1


def shifted(waveform: Waveform, pitch: float, formants: float) -> Waveform:
    """Make another speaker of a speaker, by Praat's overlap-add ("Change gender").

    The pitch of an unvoiced clip stays as it is; its formants move. Formants that move down leave the top of the
    spectrum empty, above ``formants * rate / 2``: there the original's is kept, because recordings are not empty.

    Args:
        waveform: speech, at least 60 ms of it.
        pitch: factor of the median fundamental frequency, 0.3 to 3; see ``PITCH``.
        formants: factor of the formants, 0.7 to 1.4, below 1 for a longer vocal tract; see ``FORMANTS``.

    Returns:
        As many samples at the same rate; peaks may pass full scale.

    Raises:
        BadInputError: the clip is too short, or a factor lies outside its limits.
    """
    _check("pitch", pitch, _PITCH_LIMITS)
    _check("formants", formants, _FORMANT_LIMITS)
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
    """Play audio faster or slower, as a tape: pitch and formants move along.

    Args:
        waveform: (n,) samples.
        speed: 0.5 to 2, rounded to hundredths; see ``SPEED``.

    Returns:
        ceil(n / speed) samples at the same rate.

    Raises:
        BadInputError: the speed lies outside its limits.
    """
    _check("speed", speed, _SPEED_LIMITS)
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


def _check(name: str, factor: float, limits: tuple[float, float]) -> None:
    low, high = limits
    if not low <= factor <= high:
        raise BadInputError(f"{name} {factor:g} is out of range", f"Choose {low:g} to {high:g}.")
