"""The output of `voxgrad say`: one file, a file for each text, or a stream."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from voxgrad.cli.say_input import SayInput, Utterance
from voxgrad.cli.shared_options import Session
from voxgrad.cli.terminal import length
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.events import Emit, Said
from voxgrad.settings.model import either

if TYPE_CHECKING:
    from voxgrad.settings import DeliverySpec, SynthesisSpec
    from voxgrad.steps.say import SpokenFile
    from voxgrad.store import Artifact
    from voxgrad.voice.load import EngineName
    from voxgrad.voice.speak import AudioTarget
    from voxgrad.voice.timings import TimedPassage
    from voxgrad.voice.voice import SpeechJob, Voice

_NUMBERED = re.compile(r".+-(\d{4,})\.\w+")
_KNOWN_FIRST = 20_000  # characters; a shorter text is read to its end before it is streamed

_PLAYERS: Final = (
    ("aplay", "-q", "-"),
    ("ffplay", "-v", "error", "-nodisp", "-autoexit", "-"),
    ("mpv", "--no-terminal", "-"),
    ("play", "-q", "-t", "wav", "-"),
)


@dataclass(frozen=True)
class SayRequest:
    """The options that all outputs share; see `voxgrad say -h`."""

    session: Session
    voice: str | None
    vocoder: str | None
    lexicon: Path | None
    strict: bool
    synthesis: "SynthesisSpec"
    engine: "EngineName"
    delivery: "DeliverySpec"
    seed: int
    timings: Path | None
    metadata: bool
    ending: str
    cast: dict[str, str]
    folder: Path

    def load(self, voice: "str | Artifact | None", emit: "Emit") -> "Voice":
        """Load a voice with the requested vocoder, lexicon and engine."""
        from voxgrad.voice.load import load_voice

        return load_voice(
            *(self.session.store, voice, self.vocoder, self.lexicon, emit), engine=self.engine, synthesis=self.synthesis
        )

    def job(self, text: str, voice: "Voice", emit: "Emit", *, coming: bool = False) -> "SpeechJob":
        """What is said, by a voice and those that the text names."""
        from voxgrad.voice.cast import Cast
        from voxgrad.voice.load import require_torch
        from voxgrad.voice.voice import SpeechJob

        if {self.delivery.loudness, self.delivery.peak} != {None}:
            require_torch()
        cast = Cast(voice, self.cast, lambda reference: self.load(reference, emit), self.folder)
        return SpeechJob(text, cast, self.synthesis, self.delivery, self.seed, coming)

    def target(self, path: Path) -> "AudioTarget":
        """An audio file, and the timings beside it."""
        from voxgrad.voice.speak import AudioTarget

        return AudioTarget.at(path, self.timings, metadata=self.metadata)

    def require_timings_beside(self) -> None:
        """Check that timings can be written beside each of several files.

        Raises:
            BadInputError: one file of them was named.
        """
        if self.timings is not None and self.timings.suffix:
            raise BadInputError(
                f"{self.timings} cannot hold the timings of more than one audio file",
                "Use --timings srt to write a file beside each one.",
            )

    def to_one_file(self, text: str, output: Path | None) -> None:
        """Speak one text to one file, through an artifact."""
        from voxgrad.audio.writers import check_writable_audio, convert, read_comment
        from voxgrad.steps.say import AUDIO, TIMINGS, say
        from voxgrad.voice.load import find_voice
        from voxgrad.voice.metadata import MARK
        from voxgrad.voice.timings import read_timings

        artifact = find_voice(self.session.store, self.voice)
        path = Path(f"{artifact.name}.{self.ending}") if output is None else output
        check_writable_audio(path, self.delivery)
        with self.session.progress() as progress:
            job = self.job(text, self.load(self.voice, progress.emit), progress.emit)
            rescue = path.with_stem(f"{path.stem}.part")
            speech = say(self.session.store, job, strict=self.strict, rescue=rescue, emit=progress.emit)
        if output is None:
            path = path.with_stem(f"{speech.name}-{speech.version}")
        audio, seconds, target = speech.path(AUDIO), speech.manifest.metrics["seconds"], self.target(path)
        convert(audio, path, read_comment(audio) if self.metadata else MARK, self.delivery)
        if target.timings is not None:
            passages = read_timings(speech.path(TIMINGS).read_text(encoding="utf-8"))
            target.timings.write(passages, seconds)
        parents = {role: parent.ref for role, parent in speech.manifest.parents.items()}
        more = {"speech": speech.ref, "directory": str(speech.directory)}
        answer_file(self.session, path, seconds, self.seed, parents, **more)
        self.session.then(f"info {shlex.quote(str(path))}")

    def to_files(self, source: SayInput, directory: Path | None) -> None:
        """Speak each utterance to a file of its own."""
        from voxgrad.steps.say import say_to_files

        self.require_timings_beside()
        if directory is not None:
            make_directory(directory)
        said = 0
        with self.session.progress() as progress:
            jobs: Iterable[SpokenFile] = self._jobs(source.utterances(), directory, progress.emit)
            total = None
            if not source.coming:  # then all of it is looked at before the first is said
                jobs = list(jobs)
                total = len(jobs)
            for file in say_to_files(jobs, total, strict=self.strict, emit=progress.emit):
                said += 1
                job, path = file.job, file.target.path
                parents = {role: artifact.ref for role, artifact in job.voice.parents.items()}
                answer_file(self.session, path, file.seconds, job.seed, parents, text=job.text)
                sys.stdout.flush()
        if not said:
            raise BadInputError("the text has no words to speak", "Give at least one line with a word in it.")
        self.session.then(f"info {shlex.quote(str(path))}")

    def _jobs(self, utterances: Iterable[Utterance], directory: Path | None, emit: "Emit") -> "Iterator[SpokenFile]":
        from voxgrad.audio.writers import check_writable_audio
        from voxgrad.steps.say import SpokenFile

        jobs: dict[str | None, SpeechJob] = {}
        paths: set[Path] = set()
        last = _last_used() if directory is None else 0
        for number, utterance in enumerate(utterances, 1):
            ref = self.voice if utterance.voice is None else utterance.voice
            if ref not in jobs:
                jobs[ref] = self.job("", self.load(ref, emit).ready(), emit)
            if utterance.out is not None:
                path = (Path() if directory is None else directory) / utterance.out
            elif directory is not None:
                path = directory / f"{number:04}.{self.ending}"
            else:
                path = Path(f"{jobs[ref].voice.artifact.name}-{last + number:04}.{self.ending}")
            if path.absolute() in paths:
                raise BadInputError(f"two utterances would be written to {path}", "Give them different names.")
            paths.add(path.absolute())
            check_writable_audio(path, self.delivery)
            job = replace(
                jobs[ref],
                text=utterance.text,
                seed=self.seed if utterance.seed is None else utterance.seed,
                synthesis=self.synthesis
                if utterance.speed is None
                else self.synthesis.model_copy(update={"speed": utterance.speed}),
            )
            yield SpokenFile(f"utterance {number}", job, self.target(path))

    def to_stream(self, source: SayInput, *, raw: bool, play: bool) -> None:
        """Everything into standard output or a player, as it comes."""
        from voxgrad.audio.writers import RawWriter, WaveWriter
        from voxgrad.voice.metadata import MARK
        from voxgrad.voice.speak import with_progress, write_pieces
        from voxgrad.voice.timings import timings_file

        if self.session.json and not play:
            raise BadInputError("--json and -o - cannot be used together", "Both use standard output: choose one.")
        if sys.stdout.isatty() and not play:
            raise BadInputError("standard output is a terminal", "Use --play, or name a file with -o.")
        if self.timings is not None and not self.timings.suffix:
            raise BadInputError("a stream has no file for the timings to go beside", "Give --timings a file name.")
        timings: list[TimedPassage] = []
        sink = player() if play else nullcontext(sys.stdout.buffer)
        with self.session.progress() as progress, sink as stream:
            voice = self.load(self.voice, progress.emit)
            text = "" if source.coming else source.joined()
            job = self.job(text, voice, progress.emit, coming=source.coming)
            remark = job.recipe.remark if self.metadata else MARK
            texts = self._read(job, source.texts, progress.emit)
            pieces = with_progress(job.pieces(texts), "say", None, progress.emit)
            first = next(pieces)  # nothing is written where there is nothing to say
            writer = RawWriter(stream, job.delivery) if raw else WaveWriter(stream, job.rate, remark, job.delivery)
            seconds = write_pieces(chain([first], pieces), writer, timings.append) / job.rate
            progress.emit(Said(f"{length(seconds)} by {voice.artifact.ref}, seed {self.seed}"))
        if self.timings is not None:
            timings_file(self.timings).write(timings, seconds)

    def _read(self, job: "SpeechJob", texts: Iterable[str], emit: "Emit") -> Iterator[str]:
        """Texts, read before they are said unless that would make a listener wait."""
        from voxgrad.voice.speak import warn_unknown, warn_unread

        line = 1
        for text in texts:
            said = replace(job, text=text)
            warn_unread(said, emit, strict=self.strict, line=line if line > 1 else None)
            if self.strict or len(text) < _KNOWN_FIRST:
                warn_unknown(said.summarize().unknown, emit, strict=self.strict)
            line += text.count("\n")
            yield text


@contextmanager
def player() -> Iterator[BinaryIO]:
    """A program that plays the WAV that is written to it, and has played it at the end.

    Raises:
        EnvironmentFailureError: there is none, or it cannot play.
    """
    hint = "Write a file with -o, and play that."
    command = next((command for command in _PLAYERS if shutil.which(command[0])), None)
    if command is None:
        names = either([name for name, *_ in _PLAYERS])
        raise EnvironmentFailureError("there is no program that plays audio", f"Install {names}. {hint}")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield cast("BinaryIO", process.stdin)
        except BrokenPipeError:
            if not process.wait():  # the listener has closed the player
                raise
        told = process.communicate()[1].decode(errors="replace").split("\n")
    if process.returncode:
        raise EnvironmentFailureError(f"{command[0]} cannot play: {told[0] or 'it gives no reason'}", hint)


def play_file(path: Path) -> None:
    """Play a WAV."""
    with player() as stream:
        stream.write(path.read_bytes())


def answer_file(
    session: Session, path: Path, seconds: float | None, seed: int, parents: Mapping[str, str], **more: str | None
) -> None:
    """Report an audio file that was written, or that existed already (no seconds); ``more`` is for JSON."""
    lasts = "there already" if seconds is None else length(seconds)
    told = {**more, "file": str(path), "seconds": seconds, "seed": seed, "parents": dict(parents)}
    session.answer(told, f"{path}: {lasts} by {made_by(parents)}, seed {seed}")


def make_directory(directory: Path) -> None:
    """Make a folder for audio files.

    Raises:
        BadInputError: it is a file.
        EnvironmentFailureError: it cannot be made.
    """
    if directory.exists() and not directory.is_dir():
        raise BadInputError(f"{directory} is a file", "Name a folder.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder {directory} cannot be created ({error.strerror})"
        raise EnvironmentFailureError(message, "Name another.") from error


def _last_used() -> int:
    """The highest number of an audio file in the working folder, 0 if there is none."""
    matches = (_NUMBERED.fullmatch(path.name) for path in Path().iterdir())
    return max((int(match[1]) for match in matches if match is not None), default=0)


def made_by(parents: Mapping[str, str]) -> str:
    """The voice, and the vocoder or graph.

    >>> made_by({"vocoder": "english@v2", "voice": "alice@v1"})
    'alice@v1, vocoder english@v2'
    """
    return ", ".join([parents["voice"], *(f"{role} {ref}" for role, ref in parents.items() if role != "voice")])
