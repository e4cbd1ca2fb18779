"""Values of SSML's ``prosody``, ``emphasis`` and ``break``."""

import math
import re
from dataclasses import replace
from typing import Final

from voxgrad.text.marked_text import LONGEST_PAUSE, Prosody

_EMPHASES: Final = {
    "strong": (0.85, 2.0, 3.0),
    "moderate": (0.92, 1.0, 1.5),
    "none": (1.0, 0.0, 0.0),
    "reduced": (1.1, -1.0, -2.0),
}
"""Levels of emphasis: factor of the rate, semitones, decibels."""
_RATES: Final = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 4 / 3, "x-fast": 1.75}
_PITCHES: Final = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
_VOLUMES: Final = {
    "silent": -math.inf, "x-soft": -12.0, "soft": -6.0, "medium": 0.0, "default": 0.0, "loud": 4.0, "x-loud": 8.0,
}  # fmt: skip
_NUMBER: Final = r"([+-]?)(\d+\.?\d*|\.\d+)"
_DURATION: Final = re.compile(r"\+?(\d+\.?\d*|\.\d+)\s*(ms|s)")
_SLOWEST, _FASTEST = 0.05, 20.0
_HIGHEST_HERTZ: Final = 1000.0
_MOST_SEMITONES: Final = 48.0
_MOST_DECIBELS: Final = 60.0


def changed(prosody: Prosody, name: str, value: str) -> Prosody:
    """A prosody under one more attribute.

    Args:
        prosody: of what lies around it.
        name: ``rate``, ``pitch`` or ``volume``.
        value: a name, a number, or a change, as SSML 1.0 and 1.1 write them.

    Raises:
        ValueError: it is none; says what can be given.

    >>> changed(Prosody(), "rate", "80%").rate, changed(Prosody(), "pitch", "+2st").semitones
    (0.8, 2.0)
    """
    return {"rate": _rate, "pitch": _pitch, "volume": _volume}[name](prosody, value)


def emphasised(prosody: Prosody, level: str) -> Prosody:
    """A prosody under an emphasis.

    Raises:
        ValueError: there is no such level; says which there are.
    """
    if level not in _EMPHASES:
        raise ValueError(f"Give one of {', '.join(_EMPHASES)}.")
    rate, semitones, decibels = _EMPHASES[level]
    return replace(
        prosody,
        rate=prosody.rate * rate,
        semitones=prosody.semitones + semitones,
        decibels=prosody.decibels + decibels,
    )


def pause_seconds(time: str) -> float:
    """The seconds of a break's ``time``.

    Raises:
        ValueError: it is no time, or longer than a pause may be.

    >>> pause_seconds("500ms"), pause_seconds("1.5s")
    (0.5, 1.5)
    """
    match = _DURATION.fullmatch(time.strip())
    seconds = math.inf if match is None else float(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > LONGEST_PAUSE:
        raise ValueError(f"Give a time such as 500ms or 1.5s, at most {LONGEST_PAUSE:g}s.")
    return seconds


def _rate(prosody: Prosody, value: str) -> Prosody:
    factor = _RATES.get(value)
    if factor is None and (match := re.fullmatch(rf"{_NUMBER}(%?)", value)):
        sign, number, percent = match[1], float(match[2]), match[3]
        factor = number / 100 if percent else number
        if sign and percent:
            factor = 1 + factor if sign == "+" else 1 - factor
        elif sign == "-":
            factor = None
    if factor is None or factor <= 0:
        raise ValueError(
            f"Give one of {', '.join(_RATES)}, a factor such as 1.2, or a percentage such as 80% or +10%."
        )
    return replace(prosody, rate=min(max(prosody.rate * factor, _SLOWEST), _FASTEST))


def _pitch(prosody: Prosody, value: str) -> Prosody:
    if value in _PITCHES:
        return _raised(prosody, _PITCHES[value])
    match = re.fullmatch(rf"{_NUMBER}\s?(st|%|Hz|hz)", value)
    if match is not None:
        sign, number, unit = match[1], float(match[2]), match[3].lower()
        signed = -number if sign == "-" else number
        if unit == "st" and number <= _MOST_SEMITONES:
            return _raised(prosody, signed)
        if unit == "%" and (factor := 1 + signed / 100 if sign else number / 100) > 0:
            return _raised(prosody, 12 * math.log2(factor))
        if unit == "hz" and sign and number <= _HIGHEST_HERTZ:
            return replace(prosody, hertz=prosody.hertz + signed)
        if unit == "hz" and 0 < number <= _HIGHEST_HERTZ:
            return replace(prosody, target=number, semitones=0.0, hertz=0.0)
    raise ValueError(f"Give one of {', '.join(_PITCHES)}, +2st, -10%, +20Hz or 200Hz.")


def _raised(prosody: Prosody, semitones: float) -> Prosody:
    total = prosody.semitones + semitones
    return replace(prosody, semitones=min(max(total, -_MOST_SEMITONES), _MOST_SEMITONES))


def _volume(prosody: Prosody, value: str) -> Prosody:
    decibels = _VOLUMES.get(value)
    if decibels is None and (match := re.fullmatch(rf"{_NUMBER}\s?(dB|db|%?)", value)):
        sign, number, unit = match[1], float(match[2]), match[3].lower()
        if unit == "db":
            decibels = -number if sign == "-" else number
        else:  # SSML 1.0: 0 to 100, or a change of it; a percentage of the voice's own
            share = number / 100
            share = {"+": 1 + share, "-": 1 - share}.get(sign, share)
            decibels = 20 * math.log10(share) if share > 0 else -math.inf if share == 0 else None
    if decibels is None or decibels > _MOST_DECIBELS:
        raise ValueError(f"Give one of {', '.join(_VOLUMES)}, decibels such as +6dB, or a percentage.")
    return replace(prosody, decibels=min(prosody.decibels + decibels, _MOST_DECIBELS))
