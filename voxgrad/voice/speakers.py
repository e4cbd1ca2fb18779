"""What is known of the speakers of voices and bases: sex, accent and pitch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field

from voxgrad.errors import VoxgradError
from voxgrad.store import Artifact
from voxgrad.weights import InLanguage, acoustic_spec_of, weights_of

Sex = Literal["female", "male"]
Pitch = Literal["low", "middle", "high"]
_BORDERS: Final = (135.0, 180.0)
"""Hz of the mean pitch: a third of the included speakers each is low, middle and high."""
_STATISTICS: Final = "frame_prior.pitch_statistics"
_KOKORO: Final = re.compile(r"([abefhijpz])([fm])_\w+")
_ACCENTS: Final = {
    "a": "American", "b": "British", "e": "Spanish", "f": "French", "h": "Hindi", "i": "Italian", "j": "Japanese",
    "p": "Portuguese", "z": "Chinese",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker, as far as known."""

    name: str
    sex: Sex | None
    accent: str | None
    hertz: Annotated[int | None, Field(description="Mean pitch.")]
    pitch: Annotated[Pitch | None, Field(description="The mean pitch among that of the included speakers.")]
    language: Annotated[str | None, Field(description="The only one that it speaks; null: all of its base.")] = None


def speakers_of(voice: Artifact) -> tuple[Speaker, ...]:
    """The speakers of a base, or the one of a voice; sex and accent are known of included ones only."""
    acoustic = voice.manifest.settings.get("acoustic", {})
    rows: dict[str, int] = acoustic.get("speakers", {})
    names = list(rows) if voice.kind == "base" else [name for name in rows if name == acoustic.get("voice")]
    pitches = _pitches(voice)
    listed = []
    for name in names:
        sex, accent = _known(name) if voice.embedded else (None, None)
        hertz = pitches[rows[name]] if rows[name] < len(pitches) else None
        listed.append(Speaker(name, sex, accent, hertz, None if hertz is None else _pitch(hertz)))
    return tuple(listed)


def speakers_in(languages: Mapping[str, Artifact], base: Artifact) -> tuple[Speaker, ...]:
    """The speakers that a base has in its other languages alone, each once."""
    known = acoustic_spec_of(base).speakers
    found: dict[str, Speaker] = {}
    for code, taught in languages.items():
        mostly, pitches = taught.manifest.settings["voices"], _pitches(base, (taught, code))
        for name, row in acoustic_spec_of(taught).speakers.items():
            if name not in known and mostly.get(code) == name:
                sex, accent = _known(name) if taught.embedded else (None, None)
                hertz = pitches[row] if row < len(pitches) else None
                pitch = None if hertz is None else _pitch(hertz)
                found.setdefault(name, Speaker(name, sex, accent, hertz, pitch, code))
    return tuple(found.values())


@cache
def _pitches(voice: Artifact, language: InLanguage | None = None) -> tuple[int, ...]:
    """Mean pitch of every speaker, in Hz; nothing of a model that predicts none, or whose weights cannot be read."""
    try:
        statistics = weights_of(voice, language, verify=False).floats(_STATISTICS)
    except VoxgradError:
        return ()
    return tuple(round(hertz) for hertz in np.exp(statistics[:, 0]).tolist())


def _pitch(hertz: int) -> Pitch:
    return "low" if hertz < _BORDERS[0] else "high" if hertz > _BORDERS[1] else "middle"


def _known(name: str) -> tuple[Sex | None, str | None]:
    """Sex and accent, as the names of Kokoro's voices tell them, and LibriSpeech of its readers."""
    if (kokoro := _KOKORO.fullmatch(name)) is not None:
        return "female" if kokoro[2] == "f" else "male", _ACCENTS[kokoro[1]]
    number = name.removeprefix("libri-")
    women, men = _readers()
    return "female" if number in women else "male" if number in men else None, None


@cache
def _readers() -> tuple[frozenset[str], frozenset[str]]:
    text = Path(__file__).with_name("readers.txt").read_text(encoding="utf-8")
    women, _, men = text.partition("female")[2].partition("\nmale")
    return frozenset({*women.split(), "kathleen", "kerstin", "nathalie"}), frozenset(men.split())
