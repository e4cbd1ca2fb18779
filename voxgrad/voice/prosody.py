"""What SSML and question marks ask of the tokens of a passage: rate, pitch and loudness."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from voxgrad.audio.io import Samples
from voxgrad.text.marked_text import PLAIN, Prosody
from voxgrad.text.passages import Passage

_RATES: Final = (0.2, 5.0)
_MOST_SEMITONES: Final = 18.0
_RAMP: Final = 0.03  # seconds over which the loudness changes


@dataclass(frozen=True, eq=False)
class TokenChanges:
    """How the tokens of one text are spoken, where that was asked for."""

    rate: npt.NDArray[np.float32]
    """(tokens,) float32, factor of the speed."""
    semitones: npt.NDArray[np.float32]
    """(tokens,) float32, raised by, in models that predict pitch."""
    rise: npt.NDArray[np.float32]
    """(tokens,) float32, 0 to 1, how far a question rises, in models that predict pitch."""


def is_plain(passage: Passage) -> bool:
    """Whether nothing is asked of any word."""
    return all(prosody == PLAIN for _, prosody in passage.prosodies)


def changes_pitch(passage: Passage) -> bool:
    """Whether another pitch is asked for anywhere."""
    return any(asked.semitones or asked.hertz or asked.target is not None for _, asked in passage.prosodies)


def token_prosody(passage: Passage, mean_pitch: float | None, rise: Sequence[float] | None = None) -> TokenChanges:
    """What is asked of every token; blanks and marks take after the word before them.

    Pitches in Hz are relative to the voice's ``mean_pitch``, None where nothing of it is voiced. For ``rise``, see
    `voxgrad.text.intonation`.
    """
    of_token = _by_token(passage)
    rate = [float(np.clip(prosody.rate, *_RATES)) for prosody in of_token]
    semitones = [_semitones(prosody, mean_pitch) for prosody in of_token]
    rises = [0.0] * len(of_token) if rise is None else rise
    return TokenChanges(*(np.array(values, np.float32) for values in (rate, semitones, rises)))


def gains(passage: Passage, durations: tuple[int, ...], hop: int, length: int, rate: int) -> Samples | None:
    """Factors of the samples, (length,), without steps; None where all are 1.

    ``durations`` are frames of ``hop`` samples.
    """
    of_token = _by_token(passage)
    if all(prosody.decibels == 0 for prosody in of_token):
        return None
    factors = [10 ** (prosody.decibels / 20) for prosody in of_token]
    steps = np.repeat(np.array(factors), [duration * hop for duration in durations])[:length]
    steps = np.pad(steps, (0, length - len(steps)), mode="edge")
    ramp = max(round(_RAMP * rate), 1)
    smooth = np.convolve(np.pad(steps, (ramp // 2, ramp - 1 - ramp // 2), mode="edge"), np.ones(ramp) / ramp, "valid")
    return smooth.astype(np.float32)


def mean_decibels(passage: Passage) -> float:
    """By how much SSML makes a passage louder, silent words aside."""
    asked = [prosody.decibels for prosody in _by_token(passage) if math.isfinite(prosody.decibels)]
    return float(np.mean(asked or [0.0]))


def pitch_curve(
    prosody: TokenChanges, durations: tuple[int, ...], seconds_per_frame: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times in the middle of every token, and the semitones there, for `voxgrad.audio.praat.bend`."""
    stops = np.cumsum(durations)
    middles = (stops - np.array(durations) / 2) * seconds_per_frame
    return middles, prosody.semitones.astype(np.float64)


def _by_token(passage: Passage) -> list[Prosody]:
    words = passage.encoded.words
    of_token = [PLAIN] * len(passage.encoded.tokens)
    for word, prosody in passage.prosodies:
        if word < len(words):
            start = words[word].start if word else 0
            of_token[start:] = [prosody] * (len(of_token) - start)
    return of_token


def _semitones(prosody: Prosody, mean_pitch: float | None) -> float:
    semitones = prosody.semitones
    if mean_pitch is not None and (prosody.hertz or prosody.target is not None):
        base = mean_pitch if prosody.target is None else prosody.target
        asked = max(base * 2 ** (semitones / 12) + prosody.hertz, 1.0)
        semitones = 12 * math.log2(asked / mean_pitch)
    return float(np.clip(semitones, -_MOST_SEMITONES, _MOST_SEMITONES))
