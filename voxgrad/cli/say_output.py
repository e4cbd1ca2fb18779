"""The three ways of `voxgrad say`: one text into one file, many into a file each, all into a stream."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from voxgrad.cli.say_input import SayInput
from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.audio.writers import AudioWriter
    from voxgrad.events import Emit
    from voxgrad.settings import DeliverySpec, SynthesisSpec
    from voxgrad.speech.cast import Cast, Casting
    from voxgrad.speech.engines import Engine
    from voxgrad.speech.speaker import Speaker
    from voxgrad.speech.text_input import Utterance
    from voxgrad.steps.synthesize_files import Job
    from voxgrad.store import Artifact, Store

_NUMBERED = re.compile(r".+-(\d{4,})\.\w+")
_KNOWN_FIRST = 20_000  # characters; a shorter text is read to its end before it is streamed


@dataclass(frozen=True)
class SayRequest:
    """What all of it has in common; see the options of `voxgrad say`."""

    session: Session
    voice: str | None
    vocoder: str | None
    lexicon: Path | None
    strict: bool
    synthesis: "SynthesisSpec"
    engine: "Engine"
    delivery: "DeliverySpec"
    seed: int
    timings: Path | None
    metadata: bool
    ending: str
    cast: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()

    def warn(self, warnings: Iterable[str]) -> None:
        """Shows what of the text is left out."""
        from voxgrad.cli.terminal import Renderer
        from voxgrad.events import Said

        with Renderer(self.session) as renderer:
            for warning in warnings:
                renderer.emit(Said(warning, "warning"))

    def one(self, text: str, output: Path | None) -> None:
        """One text into one file, by way of an artifact."""
        from voxgrad.audio.writers import check_writable_audio
        from voxgrad.cli.terminal import Renderer
        from voxgrad.speech.engines import choose_engine
        from voxgrad.speech.load import find_vocoder, find_voice
        from voxgrad.steps.say import say as step

        store = self.store()
        speaker = find_voice(store, self.voice)
        named = Path(f"{speaker.name}.{self.ending}") if output is None else output
        check_writable_audio(named)
        with Renderer(self.session) as renderer:
            vocoder = find_vocoder(store, self.vocoder, speaker, renderer.emit)
            chosen = choose_engine(store, self.engine, speaker, vocoder, self.synthesis, renderer.emit)
            speech = step(
                store,
                text,
                speaker,
                vocoder,
                name=speaker.name,
                settings=chosen.synthesis,
                graph=chosen.graph,
                delivery=self.delivery,
                lexicon=self.lexicon,
                strict=self.strict,
                seed=self.seed,
                casting=self.casting(store, renderer.emit),
                rescue=named.with_stem(f"{named.stem}.part"),
                emit=renderer.emit,
            )
        self._deliver(
            speech, named if output is not None else named.with_stem(f"{speech.name}-v{speech.version}")
        )

    def _deliver(self, speech: "Artifact", target: Path) -> None:
        """Writes the audio of a speech, and its timings, where they are wanted."""
        from voxgrad.audio.writers import convert, read_comment
        from voxgrad.cli.terminal import answer
        from voxgrad.speech.provenance import MARK
        from voxgrad.steps.say import AUDIO

        audio = speech.path(AUDIO)
        convert(audio, target, read_comment(audio) if self.metadata else MARK)
        self._write_artifact_timings(speech, target)
        seconds = speech.manifest.metrics["seconds"]
        parents = {role: parent.ref for role, parent in speech.manifest.parents.items()}
        answer(
            self.session,
            {
                "speech": speech.ref,
                "file": str(target),
                "seconds": seconds,
                "seed": self.seed,
                "parents": parents,
                "directory": str(speech.directory),
            },
            f"{target}: {seconds:.2f} s by {made_by(parents)}, seed {self.seed}",
        )

    def many(self, source: SayInput, directory: Path | None) -> None:
        """Utterances into a file each."""
        from voxgrad.cli.terminal import Renderer, answer
        from voxgrad.steps.synthesize_files import speak_to_files

        store = self.store()
        if self.timings is not None and self.timings.suffix:
            raise BadInputError(
                f"{self.timings} cannot hold the timings of several audio files",
                "Give just srt, to write them beside each file.",
            )
        if directory is not None:
            make_directory(directory)
        said = 0
        with Renderer(self.session) as renderer:
            jobs: Iterable[Job] = self._jobs(store, source.utterances(), directory, renderer.emit)
            total = None
            if not source.coming:  # then all of it is looked at before the first is said
                jobs = list(jobs)
                total = len(jobs)
            for one in speak_to_files(
                jobs, total, metadata=self.metadata, strict=self.strict, emit=renderer.emit
            ):
                said += 1
                length = "there already" if one.seconds is None else f"{one.seconds:.2f} s"
                answer(
                    self.session,
                    {
                        "file": str(one.job.target),
                        "text": one.job.text,
                        "seconds": one.seconds,
                        "seed": one.job.seed,
                        "parents": one.parents,
                    },
                    f"{one.job.target}: {length} by {made_by(one.parents)}, seed {one.job.seed}",
                )
                sys.stdout.flush()
        if not said:
            raise BadInputError("the text has no words to speak", "Give at least one line with a word in it.")

    def stream(self, source: SayInput, *, raw: bool) -> None:
        """Everything into standard output, as it comes."""
        from voxgrad.cli.terminal import Renderer
        from voxgrad.events import Said
        from voxgrad.speech.word_timings import timings_format, write_timings
        from voxgrad.steps.synthesize_files import speak_to_stream

        if self.session.json:
            raise BadInputError("--json and -o - exclude each other", "Both go to standard output: give one.")
        if sys.stdout.isatty():
            raise BadInputError(
                "standard output is a terminal", "Pipe it into a player, or name a file with -o."
            )
        if self.timings is not None and not self.timings.suffix:
            raise BadInputError(
                "a stream has no file to write timings beside", "Name a file for the timings."
            )
        with Renderer(self.session) as renderer:
            store = self.store()
            speaker, synthesis = self.load(store, self.voice, renderer.emit)
            text = None if source.coming else source.joined()
            cast = self.casting(store, renderer.emit)(speaker)
            recipe = speaker.recipe(text, synthesis, self.delivery, self.seed, cast)
            passages, seconds = speak_to_stream(
                speaker,
                self._read(speaker, source.texts, cast, renderer.emit),
                lambda: _standard_output(speaker.rate, recipe.remark if self.metadata else None, raw=raw),
                synthesis=synthesis,
                delivery=self.delivery,
                seed=self.seed,
                cast=cast,
                emit=renderer.emit,
            )
            renderer.emit(Said(f"{seconds:.2f} s by {speaker.voice.ref}, seed {self.seed}"))
        if self.timings is not None:
            write_timings(self.timings, timings_format(self.timings), passages, seconds)

    def store(self) -> "Store":
        """The home."""
        from voxgrad.store import Store

        return Store.open(self.session.home)

    def load(self, store: "Store", voice: str | None, emit: "Emit") -> "tuple[Speaker, SynthesisSpec]":
        """A voice with the vocoder and the lexicon that were asked for, and the settings that it speaks with."""
        from voxgrad.speech.load import load_speaker

        return load_speaker(
            store,
            voice,
            self.vocoder,
            self.lexicon,
            emit,
            engine=self.engine,
            synthesis=self.synthesis,
        )

    def casting(self, store: "Store", emit: "Emit") -> "Casting":
        """Makes the cast of a text, which loads the voices that it names."""
        from voxgrad.speech.cast import Cast
        from voxgrad.speech.load import find_voice

        loaded: dict[str, Speaker] = {}

        def casting(narrator: "Speaker") -> Cast:
            loaded[narrator.voice.digest] = narrator

            def load(reference: str) -> "Speaker":
                digest = find_voice(store, reference).digest  # of which several references may speak
                if digest not in loaded:
                    loaded[digest], _ = self.load(store, reference, emit)
                return loaded[digest]

            return Cast(narrator, self.cast, load, self.folder)

        return casting

    def _read(self, speaker: "Speaker", texts: Iterable[str], cast: "Cast", emit: "Emit") -> Iterator[str]:
        """Texts, read before they are said unless that would make a listener wait."""
        from voxgrad.speech.text_input import warn_unknown, warn_unread

        line = 1
        for text in texts:
            warn_unread(text, emit, strict=self.strict, line=line if line > 1 else None)
            if self.strict or len(text) < _KNOWN_FIRST:
                warn_unknown(speaker.summarize([text], cast).unknown, emit, strict=self.strict)
            line += text.count("\n")
            yield text

    def _jobs(
        self, store: "Store", utterances: "Iterable[Utterance]", directory: Path | None, emit: "Emit"
    ) -> "Iterator[Job]":
        from voxgrad.audio.writers import check_writable_audio
        from voxgrad.speech.word_timings import timings_format
        from voxgrad.steps.synthesize_files import Job

        casts: dict[str | None, Cast] = {}
        paces: dict[str | None, SynthesisSpec] = {}
        targets: set[Path] = set()
        last = _last_used() if directory is None else 0
        for number, utterance in enumerate(utterances, 1):
            ref = self.voice if utterance.voice is None else utterance.voice
            if ref not in casts:
                speaker, paces[ref] = self.load(store, ref, emit)
                casts[ref] = self.casting(store, emit)(speaker)
            target = self._target(utterance, last + number, directory, casts[ref].narrator)
            if target.absolute() in targets:
                raise BadInputError(
                    f"two utterances would be written to {target}", "Give them different names."
                )
            targets.add(target.absolute())
            check_writable_audio(target)
            kind = None if self.timings is None else timings_format(self.timings)
            speed = self.synthesis.speed if utterance.speed is None else utterance.speed
            yield Job(
                where=f"utterance {number}",
                text=utterance.text,
                speaker=casts[ref].narrator,
                synthesis=paces[ref].model_copy(update={"speed": speed}),
                delivery=self.delivery,
                seed=self.seed if utterance.seed is None else utterance.seed,
                target=target,
                timings=None if kind is None else (target.with_suffix(f".{kind}"), kind),
                cast=casts[ref],
            )

    def _target(
        self, utterance: "Utterance", number: int, directory: Path | None, speaker: "Speaker"
    ) -> Path:
        if utterance.out is not None:
            return (Path() if directory is None else directory) / utterance.out
        if directory is not None:
            return directory / f"{number:04}.{self.ending}"
        return Path(f"{speaker.voice.name}-{number:04}.{self.ending}")

    def _write_artifact_timings(self, speech: "Artifact", target: Path) -> None:
        from voxgrad.speech.word_timings import read_timings, timings_format, write_timings
        from voxgrad.steps.say import TIMINGS

        if self.timings is None:
            return
        kind = timings_format(self.timings)
        passages = read_timings(speech.path(TIMINGS).read_text(encoding="utf-8"))
        path = self.timings if self.timings.suffix else target.with_suffix(f".{kind}")
        write_timings(path, kind, passages, speech.manifest.metrics["seconds"])


def _standard_output(rate: int, remark: str | None, *, raw: bool) -> "AudioWriter":
    from voxgrad.audio.writers import RawWriter, WaveWriter
    from voxgrad.speech.provenance import MARK

    stream: BinaryIO = sys.stdout.buffer
    return RawWriter(stream) if raw else WaveWriter(stream, rate, MARK if remark is None else remark)


def make_directory(directory: Path) -> None:
    """Make a folder for audio files.

    Raises:
        BadInputError: it is a file.
        EnvironmentFailureError: it cannot be made.
    """
    from voxgrad.errors import EnvironmentFailureError

    if directory.exists() and not directory.is_dir():
        raise BadInputError(f"{directory} is a file", "Name a folder.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder {directory} cannot be made ({error.strerror})"
        raise EnvironmentFailureError(message, "Name another.") from error


def _last_used() -> int:
    """The highest number of an audio file in the working folder, 0 if there is none."""
    found = (_NUMBERED.fullmatch(path.name) for path in Path().iterdir())
    return max((int(match[1]) for match in found if match is not None), default=0)


def made_by(parents: Mapping[str, str]) -> str:
    """The voice, and what else computed.

    >>> made_by({"vocoder": "english@v2", "voice": "alice@v1"})
    'alice@v1, vocoder english@v2'
    """
    return ", ".join(
        [parents["voice"], *(f"{role} {ref}" for role, ref in parents.items() if role != "voice")]
    )
