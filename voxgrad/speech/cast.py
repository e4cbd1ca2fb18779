"""The voices of a script, by the names that it calls them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

import numpy as np

from voxgrad.audio.io import Samples, read_audio, resample
from voxgrad.errors import BadInputError
from voxgrad.files import sha256_of
from voxgrad.settings import AudioSpec
from voxgrad.text.marked_text import Segment, Sound
from voxgrad.unicode import on_disk

if TYPE_CHECKING:
    from voxgrad.speech.speaker import Speaker

_TONE: Final = 1000.0  # Hz
_TONE_LEVEL: Final = 0.1
_TONE_FADE: Final = 0.01  # seconds
_LONGEST_SOUND: Final = 600.0


@dataclass(frozen=True)
class Member:
    """A voice, loaded, and which of its speakers; None: the one that was asked for, or its own."""

    synthesizer: "Speaker"
    speaker: str | None = None


@dataclass
class Cast:
    """Voices by name, each loaded when it is first needed, and sounds beside the text.

    Attributes:
        narrator: whose voice nothing else is said in.
        references: what names stand for: a reference to a voice or base, and with ``:NAME`` one of its speakers.
        load: loads a reference, once; None where only the narrator's own speakers can be had.
        folder: where sounds lie; None where there can be none.
        known: voices that are loaded already.
    """

    narrator: "Speaker"
    references: Mapping[str, str] = field(default_factory=dict)
    load: "Callable[[str], Speaker] | None" = None
    folder: Path | None = None
    known: Mapping[str, Member] = field(default_factory=dict)
    _members: dict[str | None, Member] = field(default_factory=dict)

    def member(self, name: str | None) -> Member:
        """Who speaks under a name; None is the narrator.

        Raises:
            BadInputError: nobody answers to it.
        """
        if name not in self._members:
            self._members[name] = Member(self.narrator) if name is None else self._find(name)
        return self._members[name]

    def _find(self, name: str) -> Member:
        if name in self.known:
            return self.known[name]
        if name not in self.references and name in self.narrator.spec.speakers:
            return Member(self.narrator, name)
        reference, _, speaker = self.references.get(name, name).partition(":")
        if self.load is None:
            raise BadInputError(
                f"there is no voice {name} here", f"Say whose it is with --cast {name}=VOICE."
            )
        try:
            synthesizer = self.load(reference)
        except BadInputError as error:
            raise BadInputError(
                f"no voice answers to {name}: {error.message}", f"Say whose it is with --cast {name}=VOICE."
            ) from error
        if speaker:
            synthesizer.row_of(speaker)
        return Member(synthesizer, speaker or synthesizer.spec.voice)

    def known_members(self) -> list[tuple[str, Member]]:
        """Those with names that have been asked for."""
        return [(name, member) for name, member in self._members.items() if name is not None]

    def members(self, items: Iterable[Segment | Sound]) -> dict[str, Member]:
        """Those that a script calls by name, loaded."""
        names = dict.fromkeys(item.voice for item in items if isinstance(item, Segment))
        return {name: self.member(name) for name in names if name is not None}

    def sounds(self, items: Iterable[Segment | Sound]) -> dict[str, str]:
        """SHA-256 of every file that a script plays.

        Raises:
            BadInputError: one of them is not there.
        """
        files = dict.fromkeys(item.file for item in items if isinstance(item, Sound) and item.file)
        return {file: sha256_of(self._path(file)) for file in files}

    def play(self, sound: Sound, rate: int) -> Samples:
        """The samples of a sound at a rate: a file at the loudness of speech, or a tone.

        Raises:
            BadInputError: the file cannot be read, or lasts longer than ten minutes.
        """
        if not sound.file:
            return _tone(sound.seconds, rate)
        # Only here, because it needs torch and Praat.
        from voxgrad.audio.measures import amplify, level_gain, loudness  # noqa: PLC0415

        audio = resample(read_audio(self._path(sound.file)), rate)
        if audio.seconds > _LONGEST_SOUND:
            raise BadInputError(f"{sound.file} lasts longer than ten minutes", "Cut it.")
        gain = level_gain(audio, loudness(audio), AudioSpec()) + sound.decibels
        samples = amplify(audio, gain).samples
        peak = float(np.abs(samples).max(initial=0.0))
        return samples if peak <= 1 else samples / np.float32(peak)

    def _path(self, file: str) -> Path:
        """Where a sound lies: in the text's own folder or below it, wherever links lead."""
        plain = PurePosixPath(file)
        outside = (
            plain.is_absolute() or ".." in plain.parts or PureWindowsPath(file).is_absolute() or ":" in file
        )
        if outside or self.folder is None:
            raise BadInputError(
                f"{file} does not lie beside the text", "Put it there, and give its name alone."
            )
        path = on_disk(self.folder / file)
        if not path.is_file():
            raise BadInputError(f"the sound {path} does not exist", "Put it beside the text.")
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise BadInputError(
                f"{file} is a link that leads elsewhere", "Put the file itself beside the text."
            )
        return path


Casting = Callable[["Speaker"], Cast]
"""Makes the cast of a script, told its narrator."""


def _tone(seconds: float, rate: int) -> Samples:
    time = np.arange(round(seconds * rate)) / rate
    slope = np.minimum(1.0, np.minimum(time, time[-1] - time) / _TONE_FADE)
    return np.asarray(_TONE_LEVEL * slope * np.sin(2 * np.pi * _TONE * time), np.float32)
