"""Recordings and a voice → the same said by the voice, an audio file each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgrad.audio.writers import open_writer
from voxgrad.conversion.convert import convert as spoken
from voxgrad.conversion.convert import recipe_of
from voxgrad.conversion.source import read_source
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.files import sha256_of
from voxgrad.preparation.speech_recognition import Recogniser
from voxgrad.settings import ConversionSpec, SynthesisSpec
from voxgrad.speech.provenance import MARK, Recording, was_made_by
from voxgrad.speech.synthesizer import Synthesizer
from voxgrad.speech.word_timings import write_timings

_TASK = "convert"


@dataclass(frozen=True)
class Job:
    """A recording to convert.

    Attributes:
        recording: an audio file.
        text: what is said in it; None: the recogniser writes it down.
        target: an audio file.
        timings: a file and its format, or None.
    """

    recording: Path
    text: str | None
    target: Path
    timings: tuple[Path, str] | None


@dataclass(frozen=True)
class Manner:
    """How all of them are converted.

    Attributes:
        kept: what is kept of the recordings.
        synthesis: steps, temperature, speaker.
        seed: of all noise.
        recogniser: for recordings without a text; None: there is none.
        metadata: False leaves only the mark that they are synthetic, and makes every file anew.
    """

    kept: ConversionSpec
    synthesis: SynthesisSpec
    seed: int
    recogniser: Recogniser | None
    metadata: bool


@dataclass(frozen=True)
class Converted:
    """What became of a job.

    Attributes:
        seconds: of sound; None where the file was there already.
    """

    job: Job
    text: str
    seconds: float | None


def convert(jobs: Sequence[Job], speaker: Synthesizer, manner: Manner, emit: Emit) -> Iterator[Converted]:
    """Convert recordings one after another, each into a file that appears complete.

    A file that says of itself that it was made just so is left as it is. One of several recordings that cannot be
    converted is reported, and the others are.

    Args:
        jobs: what to convert.
        speaker: the voice.
        manner: how.
        emit: called with progress events.

    Raises:
        BadInputError: one of them cannot be converted.
        EnvironmentFailureError: the disk refuses.
    """
    emit(Began(_TASK, len(jobs), "recordings"))
    refused = 0
    for done, job in enumerate(jobs):
        try:
            yield _one(job, speaker, manner, emit, done)
        except BadInputError as error:
            if len(jobs) == 1:
                raise
            refused += 1
            emit(Said(f"{job.recording}: {error}", "warning"))
        emit(Advanced(_TASK, done + 1))
    emit(Ended(_TASK))
    if refused:
        raise BadInputError(
            f"{refused} of {len(jobs)} recordings were not converted",
            "Mend what the warnings say, and repeat it.",
        )


def _one(job: Job, speaker: Synthesizer, manner: Manner, emit: Emit, done: int) -> Converted:
    kept, synthesis, seed = manner.kept, manner.synthesis, manner.seed
    recording = Recording(
        file=job.recording.name, sha256=sha256_of(job.recording), conversion=kept.model_dump()
    )
    if job.text is not None and manner.metadata and (job.timings is None or job.timings[0].exists()):
        recipe = recipe_of(speaker, job.text, recording, synthesis, seed)
        if was_made_by(job.target, recipe):
            return Converted(job, job.text, None)
    emit(Advanced(_TASK, done, f"{job.recording.name}: analysing"))
    source = read_source(
        job.recording, job.text, speaker.acoustic, synthesis.speaker, speaker.lexicon, manner.recogniser
    )
    if source.skipped:
        emit(
            Said(
                f"{source.skipped:.1f} s of {source.name} are silent in it: no word was found there",
                "warning",
            )
        )
    recipe = recipe_of(speaker, source.text, recording, synthesis, seed)
    timings, samples = [], 0
    with open_writer(job.target, speaker.rate, recipe.remark if manner.metadata else MARK) as sink:
        pieces = len(source.pieces) + 1  # the last is the silence at the end
        for number, piece in enumerate(spoken(speaker, source, kept, synthesis, seed), 1):
            sink.write(piece.samples)
            timings.append(piece.timing)
            samples += len(piece.samples)
            emit(Advanced(_TASK, done + number / pieces, job.recording.name))
    seconds = samples / speaker.rate
    if job.timings is not None:
        write_timings(*job.timings, timings, seconds)
    return Converted(job, source.text, round(seconds, 4))
