"""The cast of a script: several voices by name, and the sounds that it plays."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

import numpy as np

from voxgrad.audio.io import Samples, read_audio, resample
from voxgrad.errors import BadInputError
from voxgrad.files import sha256_of
from voxgrad.settings import AudioSpec, TextSpec
from voxgrad.text.languages import AUTO, guessed, name_of
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.marked_text import Segment, Sound
from voxgrad.text.passages import FrontEnd, Passage, segment_passages
from voxgrad.text.ssml import Script
from voxgrad.unicode import on_disk
from voxgrad.voice.speak import readable

if TYPE_CHECKING:
    from voxgrad.voice.voice import Voice

_TONE: Final = 1000.0  # Hz
_TONE_LEVEL: Final = 0.1
_TONE_FADE: Final = 0.01  # seconds
_LONGEST_SOUND: Final = 600.0


@dataclass
class Cast:
    """The voices of a script by the names that it calls them, and sounds beside it."""

    narrator: "Voice"
    """Whose voice nothing else is said in."""
    references: Mapping[str, str] = field(default_factory=dict)
    """What names stand for: a reference to a voice or base, and with ``:NAME`` one of its speakers."""
    open: "Callable[[str], Voice] | None" = None
    """The voice of a reference; None where only the narrator's own speakers can be had."""
    folder: Path | None = None
    """Where sounds lie; None where there can be none."""
    voices: "dict[str, Voice]" = field(default_factory=dict)
    """Those that were asked for."""

    def voice(self, name: str | None) -> "Voice":
        """Who speaks under a name; None is the narrator.

        Raises:
            BadInputError: there is no such voice.
        """
        if name is None:
            return self.narrator
        if name not in self.voices:
            self.voices[name] = self._find(name)
        return self.voices[name]

    def _find(self, name: str) -> "Voice":
        if name not in self.references and name in self.narrator.spec.speakers:
            return self.narrator.of_speaker(name)
        reference, _, speaker = self.references.get(name, name).partition(":")
        hint = f"Choose one with --cast {name}=VOICE."
        if self.open is None:
            raise BadInputError(f"there is no voice {name} here", hint)
        try:
            voice = self.open(reference)
        except BadInputError as error:
            raise BadInputError(f"{name} is not a voice: {error.message}", hint) from error
        if speaker:
            voice.check_speaker(speaker)
        # Of which several references may speak: it is loaded once.
        others = (self.narrator, *self.voices.values())
        same = (other for other in others if other.artifact.digest == voice.artifact.digest)
        return next(same, voice).ready().of_speaker(speaker or voice.spec.voice)

    def front_end(self, language: str | None) -> FrontEnd:
        """How the voice of a segment reads it: in its language if the voice speaks that, else in ``language``.

        It raises a BadInputError where the voice does not speak ``language``. A language that is guessed badly is taken
        for that of the segment before.
        """
        before: str | None = None

        def read(segment: Segment) -> tuple[TextSpec, Lexicon]:
            nonlocal before
            voice = self.voice(segment.voice)
            marked = segment.language if segment.language is not None and voice.reads(segment.language) else None
            asked = marked or language or voice.own_language
            if asked == AUTO:
                otherwise = before if before in voice.spoken else voice.own_language
                asked = before = guessed(segment.content.text, voice.spoken, otherwise)
            return voice.text_in(asked), voice.lexicon

        return read

    def not_spoken(self, script: Script) -> list[str]:
        """That what a script marks as other languages is read as the text around it, where a voice lacks these."""
        marked = [item for item in script.items if isinstance(item, Segment) and item.language is not None]
        pairs = dict.fromkeys((item.voice, item.language) for item in marked)
        voices = [(self.voice(name), code) for name, code in pairs if code is not None]
        return [
            f"{voice.artifact.ref} does not speak {name_of(code)}: it is read as the text around it"
            for voice, code in voices
            if not voice.reads(code)
        ]

    def passages(self, texts: Iterable[str], language: str | None = None) -> Iterator[Passage | Sound]:
        """The passages and sounds of texts, each read as its voice reads; ``language`` as in `front_end`.

        Raises:
            BadInputError: as `segment_passages`, or a voice that it names does not exist.
        """
        items = (item for text in texts for item in readable(text))
        return segment_passages(items, self.front_end(language))

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
        # Only here, because it needs torch.
        from voxgrad.audio.loudness import amplify, level_gain, loudness  # noqa: PLC0415

        audio = resample(read_audio(self._path(sound.file)), rate)
        if audio.seconds > _LONGEST_SOUND:
            raise BadInputError(f"{sound.file} lasts longer than ten minutes", "Shorten it.")
        gain = level_gain(audio, loudness(audio), AudioSpec()) + sound.decibels
        samples = amplify(audio, gain).samples
        peak = float(np.abs(samples).max(initial=0.0))
        return samples if peak <= 1 else samples / np.float32(peak)

    def _path(self, file: str) -> Path:
        """Where a sound lies: in the text's own folder or below it, wherever links lead."""
        plain = PurePosixPath(file)
        outside = plain.is_absolute() or ".." in plain.parts or PureWindowsPath(file).is_absolute()
        if outside or ":" in file or self.folder is None:
            raise BadInputError(f"{file} is not beside the text", "Move it there, and give only its name.")
        path = on_disk(self.folder / file)
        if not path.is_file():
            raise BadInputError(f"the sound {path} does not exist", "Put it beside the text.")
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise BadInputError(f"{file} is a link to another folder", "Put the file itself beside the text.")
        return path


def _tone(seconds: float, rate: int) -> Samples:
    time = np.arange(round(seconds * rate)) / rate
    slope = np.minimum(1.0, np.minimum(time, time[-1] - time) / _TONE_FADE)
    return np.asarray(_TONE_LEVEL * slope * np.sin(2 * np.pi * _TONE * time), np.float32)
