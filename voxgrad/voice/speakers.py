"""What is known of the speakers of voices and bases: sex, accent and pitch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
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


def speakers_of(voice: Artifact, languages: Mapping[str, Artifact] = MappingProxyType({})) -> tuple[Speaker, ...]:
    """The one speaker of a voice, or those of a base, with those that it has in other languages alone, each once.

    Sex and accent are known of included ones only; ``languages`` are those of `voxgrad.weights.languages_of`.
    """
    acoustic = voice.manifest.settings.get("acoustic", {})
    rows: dict[str, int] = acoustic.get("speakers", {})
    is_base, own, pitches = voice.kind == "base", acoustic.get("voice"), _pitches(voice)
    found = {name: _speaker(voice, name, row, pitches) for name, row in rows.items() if is_base or name == own}
    for code, taught in languages.items() if is_base else ():
        name = taught.manifest.settings["voices"].get(code)
        row = acoustic_spec_of(taught).speakers.get(name)
        if row is not None and name not in found:
            found[name] = _speaker(taught, name, row, _pitches(voice, (taught, code)), code)
    return tuple(found.values())


def _speaker(made: Artifact, name: str, row: int, pitches: Sequence[int], language: str | None = None) -> Speaker:
    sex, accent = _known(name) if made.embedded else (None, None)
    hertz = pitches[row] if row < len(pitches) else None
    return Speaker(name, sex, accent, hertz, None if hertz is None else _pitch(hertz), language)


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
