"""A recording session: a folder with the speaker, their consent, the prompts, and takes of some of them.

DIR/session.json          speaker, statement, prompts
DIR/wavs/001.wav          a take of the first prompt
DIR/metadata.csv          ``001|text`` for every take, as `prepare` reads it
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal
from uuid import uuid4

import soundfile
from pydantic import Field, ValidationError

from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError
from voxgrad.files import atomic_write, explain_os_errors, sync_directory, sync_file
from voxgrad.preparation.consent import agreed
from voxgrad.preparation.phones import frequencies, phones_of
from voxgrad.settings import Spec
from voxgrad.store.artifact import check_name
from voxgrad.text.languages import known_language, name_of
from voxgrad.text.symbols import ENGLISH
from voxgrad.transcripts.registry import one_line

RECORD: Final = "session.json"
MOST_PROMPTS: Final = 2000
_LIST, _WAVS = "metadata.csv", "wavs"
_TAKE: Final = re.compile(r"(?P<number>\d{3,5})\.wav")


def default_prompts(language: str = ENGLISH) -> tuple[str, ...]:
    """Fifty sentences that contain all phones of a language, the rare ones as early and as often as possible.

    Raises:
        BadInputError: there are none in that language.
    """
    place = Path(__file__).with_name("prompts.txt" if language == ENGLISH else f"prompts.{language}.txt")
    if not place.exists():
        raise BadInputError(f"there are no prompts in {name_of(language)}", "Give sentences of your own.")
    return tuple(place.read_text(encoding="utf-8").splitlines())


class SessionRecord(Spec):
    """``session.json``."""

    name: str
    """Of the voice."""
    language: str = ENGLISH
    """What is spoken."""
    speaker: Annotated[str, Field(max_length=200)]
    statement: Annotated[str, Field(max_length=2000)]
    """What the speaker agreed to."""
    created: str
    """UTC, ISO 8601."""
    kind: Literal["prompts", "files"] = "prompts"
    """Whether prompts are recorded, or existing recordings were added."""
    prompts: tuple[Annotated[str, Field(max_length=1000)], ...] = Field(max_length=MOST_PROMPTS)

    @property
    def consent(self) -> str:
        """The statement as a dataset's manifest has it."""
        return agreed(self.speaker, self.statement)


@dataclass(frozen=True)
class RecordingSession:
    """The folder of a session; what was saved in it survives a crash."""

    directory: Path
    record: SessionRecord

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        name: str,
        speaker: str,
        statement: str,
        language: str = ENGLISH,
        prompts: Sequence[str] | None = None,
        kind: Literal["prompts", "files"] = "prompts",
    ) -> "RecordingSession":
        """Begin a session in a new or empty folder; nobody is recorded who has not agreed to ``statement``.

        ``prompts`` are sentences to read; None: fifty that cover all phones of the language.

        Raises:
            BadInputError: speaker or statement is empty, a name, language or prompt cannot be used, or something is
                there.
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        check_name(name)
        agreed(speaker, statement)
        spoken = known_language(language)
        chosen = default_prompts(spoken) if prompts is None else tuple(_one_line(text) for text in prompts)
        for text in chosen:
            if not phones_of(text, spoken):
                raise BadInputError(f"the prompt {text[:60]!r} has no words", "Write whole sentences.")
        try:
            record = SessionRecord(
                name=name,
                language=spoken,
                speaker=_one_line(speaker),
                statement=_one_line(statement),
                created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                kind=kind,
                prompts=chosen,
            )
        except ValidationError as error:
            raise BadInputError(
                "speaker, statement or prompts are too long", "Shorten them, or give fewer prompts."
            ) from error
        if directory.exists() and any(directory.iterdir()):
            raise BadInputError(f"{directory.name} is not empty", "Name a new folder.")
        with explain_os_errors("begin a recording session"):
            (directory / _WAVS).mkdir(parents=True, exist_ok=True)
        try:
            with atomic_write(directory / RECORD) as temporary:
                temporary.write_text(record.model_dump_json(indent=2), encoding="utf-8")
        except EnvironmentFailureError:
            shutil.rmtree(directory, ignore_errors=True)  # it held nothing
            raise
        return cls(directory, record)

    @classmethod
    def open(cls, directory: Path) -> "RecordingSession":
        """A session that was begun.

        Raises:
            BadInputError: there is none.
            IntegrityError: its record cannot be read.
        """
        try:
            return cls(directory, SessionRecord.model_validate_json((directory / RECORD).read_bytes()))
        except FileNotFoundError as error:
            raise BadInputError(f"{directory.name} contains no recording session", "Start one.") from error
        except (OSError, ValidationError) as error:
            raise IntegrityError(f"the session {directory.name} cannot be read", "Start another.") from error

    def prompt(self, number: int) -> str:
        """The text of a prompt; the first is 1.

        Raises:
            BadInputError: there is no such prompt.
        """
        if not 1 <= number <= len(self.record.prompts):
            raise BadInputError(f"there is no prompt {number}", f"There are {len(self.record.prompts)}.")
        return self.record.prompts[number - 1]

    def confusable(self, number: int) -> tuple[str, ...]:
        """The fifty other prompts whose lengths are nearest, any of which may be read by mistake."""
        text = self.prompt(number)
        others = (other for other in self.record.prompts if other != text)
        return tuple(sorted(others, key=lambda other: abs(len(other) - len(text)))[:50])

    def take(self, number: int) -> Path:
        """The path of a prompt's take, whether it exists or not."""
        return self.directory / _WAVS / f"{number:03}.wav"

    def incoming(self) -> Path:
        """A path for a take that is not checked yet; the caller removes the file."""
        return self.directory / f"{uuid4().hex}.incoming.wav"

    def takes(self) -> dict[int, float]:
        """Seconds of every take, by the number of its prompt."""
        found = {}
        for path in sorted((self.directory / _WAVS).glob("*.wav")):
            parts = _TAKE.fullmatch(path.name)
            with suppress(soundfile.LibsndfileError):
                if parts is not None and int(parts["number"]) <= len(self.record.prompts):
                    found[int(parts["number"])] = round(soundfile.info(path).duration, 2)
        return found

    def keep(self, number: int, recording: Path) -> None:
        """Make a file in the session's folder the take of a prompt, in place of an earlier one.

        Raises:
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        self.prompt(number)
        with explain_os_errors("keep a take"):
            sync_file(recording)
            recording.replace(self.take(number))
            sync_directory(self.directory / _WAVS)
        self.write_list()

    def remove(self, number: int) -> None:
        """Delete the take of a prompt, if there is one.

        Raises:
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        with explain_os_errors("remove a take"):
            self.take(number).unlink(missing_ok=True)
        self.write_list()

    def coverage(self) -> dict[str, int]:
        """How often each phone of the language occurs in the takes so far; missing phones have 0."""
        spoken = self.record.language
        counts = Counter(phone for number in self.takes() for phone in phones_of(self.prompt(number), spoken))
        return {phone: counts[phone] for phone in sorted(frequencies(spoken))}

    def write_list(self) -> None:
        """List all takes for `prepare`; done with every take, and again before one counts on it.

        Raises:
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        lines = (f"{number:03}|{self.prompt(number)}\n" for number in self.takes())
        with atomic_write(self.directory / _LIST) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")


def sessions(folder: Path) -> list[RecordingSession]:
    """All sessions in a folder, oldest first; what cannot be read is left out."""
    found: list[RecordingSession] = []
    for record in folder.glob(f"*/{RECORD}"):
        with suppress(IntegrityError, BadInputError):
            found.append(RecordingSession.open(record.parent))
    return sorted(found, key=lambda session: (session.record.created, session.directory.name))


def read_prompts(lines: Iterable[str]) -> tuple[str, ...]:
    """Prompts, one a line; empty lines are left out."""
    return tuple(text for line in lines if (text := _one_line(line)))


def _one_line(text: str) -> str:
    # A bar would end the text in the list of takes.
    return one_line(text.replace("|", " "))
