"""`voxgrad convert`: recordings become the same speech in another voice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.say import Format
from voxgrad.cli.shared_options import (
    NoMetadata,
    Pronunciations,
    Seed,
    Session,
    Timings,
    Vocoder,
    Voice,
    takes,
)
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.events import Emit
    from voxgrad.preparation.speech_recognition import Recogniser
    from voxgrad.settings import ConversionSpec, SynthesisSpec
    from voxgrad.speech.synthesizer import Synthesizer
    from voxgrad.steps.convert import Job
    from voxgrad.store import Artifact, Store


@takes(kept="voxgrad.settings.ConversionSpec", synthesis="voxgrad.settings.SynthesisSpec")
def convert(
    context: typer.Context,
    *,
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="Audio files, or folders of them.")
    ],
    text: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What is said in the recording; default: the .txt beside it, else a recogniser.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .wav, .flac, .ogg or .mp3, of one recording."),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "-d", "--directory", metavar="DIR", help="Write an audio file for every recording to DIR."
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Format of files without a given name.")
    ] = "wav",
    voice: Voice = None,
    vocoder: Vocoder = None,
    kept: "ConversionSpec",
    synthesis: "SynthesisSpec",
    lexicon: Pronunciations = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A converted Whisper, for recordings without a text."),
    ] = None,
    seed: Seed = 0,
    timings: Timings = None,
    no_metadata: NoMetadata = False,
) -> None:
    """Say in a voice what a recording says, with its timing, melody and loudness."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.say_output import made_by
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.speech.load import find_voice
    from voxgrad.steps.convert import Manner
    from voxgrad.steps.convert import convert as step
    from voxgrad.store import Store

    how = Manner(
        kept,
        synthesis,
        seed,
        _recogniser(model),
        not no_metadata,
    )
    store = Store.open(session.home)
    found = find_voice(store, voice)
    jobs = _jobs(recordings, text, _Places(output, directory, format_, found.name, timings))
    with Renderer(session) as renderer:
        ready = _loaded(store, found, vocoder, lexicon, synthesis.speaker, renderer.emit)
        for one in step(jobs, ready, how, renderer.emit):
            length = "there already" if one.seconds is None else f"{one.seconds:.2f} s"
            answer(
                session,
                {
                    "recording": str(one.job.recording),
                    "file": str(one.job.target),
                    "text": one.text,
                    "seconds": one.seconds,
                    "seed": seed,
                    "parents": ready.parents,
                },
                f"{one.job.target}: {length} by {made_by(ready.parents)}, seed {seed}",
            )


@dataclass(frozen=True)
class _Places:
    """Where the speech goes; see the options of `voxgrad convert`."""

    output: Path | None
    directory: Path | None
    ending: str
    voice: str
    timings: Path | None

    def target(self, recording: Path) -> Path:
        """The audio file of a recording."""
        if self.output is not None:
            return self.output
        if self.directory is not None:
            return self.directory / f"{recording.stem}.{self.ending}"
        return Path(f"{recording.stem}-{self.voice}.{self.ending}")

    def times(self, target: Path) -> tuple[Path, str] | None:
        """The timings of an audio file, and their format."""
        from voxgrad.speech.word_timings import timings_format

        if self.timings is None:
            return None
        kind = timings_format(self.timings)
        return (self.timings if self.timings.suffix else target.with_suffix(f".{kind}")), kind


def _jobs(named: Sequence[Path], text: str | None, places: _Places) -> "list[Job]":
    """What is converted into what, looked at before anything is.

    Raises:
        BadInputError: there is nothing to convert, or too much for one text or file.
    """
    from voxgrad.audio.writers import check_writable_audio
    from voxgrad.cli.say_output import make_directory
    from voxgrad.steps.convert import Job
    from voxgrad.transcripts.beside import script_beside

    if places.output is not None and places.directory is not None:
        raise BadInputError("-o and -d exclude each other", "Give one of them.")
    recordings = [one for path in named for one in recordings_of(path)]
    single = {"--text": text, "-o": places.output, "--timings FILE": places.timings}
    if places.timings is not None and not places.timings.suffix:
        del single["--timings FILE"]
    if len(recordings) > 1 and any(one is not None for one in single.values()):
        option = next(name for name, one in single.items() if one is not None)
        raise BadInputError(
            f"{option} is for one recording, and there are {len(recordings)}",
            "Write the texts to .txt files beside them, and give -d DIR and --timings srt.",
        )
    if places.directory is not None:
        make_directory(places.directory)
    jobs: dict[Path, Job] = {}
    for recording in recordings:
        target = places.target(recording)
        if target.absolute() in jobs:
            raise BadInputError(f"two recordings would be written to {target}", "Give them different names.")
        if target.exists() and target.samefile(recording):
            raise BadInputError(f"{target} is the recording itself", "Name another file with -o.")
        check_writable_audio(target)
        said = text if text is not None else script_beside(recording)
        jobs[target.absolute()] = Job(recording, said, target, places.times(target))
    return list(jobs.values())


def recordings_of(path: Path) -> Iterator[Path]:
    """A recording itself, or those of a folder.

    Raises:
        BadInputError: there are none.
    """
    from voxgrad.transcripts.recordings import Folder

    if not path.is_dir():
        if not path.is_file():
            raise BadInputError(f"there is no {path}", "Name an audio file, or a folder of them.")
        yield path
        return
    found = Folder(path.absolute()).recordings
    if not found:
        raise BadInputError(f"{path} holds no recordings", "Name a folder of audio files.")
    yield from (path / file for file in found)


def _recogniser(model: Path | None) -> "Recogniser | None":
    """What is installed; nothing is no failure before a recording lacks its text."""
    from voxgrad.preparation.speech_recognition import choose_recogniser

    if model is not None:
        return choose_recogniser("auto", model)
    try:
        return choose_recogniser("auto")
    except BadInputError:
        return None


def _loaded(
    store: "Store",
    voice: "Artifact",
    vocoder: str | None,
    lexicon: Path | None,
    speaker: str | None,
    emit: "Emit",
) -> "Synthesizer":
    """The voice with its vocoder.

    Raises:
        BadInputError: it is a graph, the speaker or the vocoder is not there, or something does not fit.
    """
    from voxgrad.onnx.runtime import KIND
    from voxgrad.speech.engines import require_torch
    from voxgrad.speech.load import find_vocoder
    from voxgrad.speech.speaker import carried_lexicon
    from voxgrad.text.lexicon import Lexicon

    if voice.kind == KIND:
        raise BadInputError(
            f"{voice} is an ONNX graph, which takes no timing and no melody",
            "Name the voice it was made from.",
        )
    require_torch()
    from voxgrad.speech.synthesizer import Synthesizer

    words = Lexicon.gather(store.home, carried_lexicon(voice), lexicon)
    ready = Synthesizer.load(voice, find_vocoder(store, vocoder, voice, emit), words)
    ready.row_of(speaker)  # before the first recording is read
    return ready
