"""Recordings and a voice → the same said by the voice, an audio file each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxgrad.conversion.convert import conversion_recipe, read_source
from voxgrad.conversion.convert import convert as spoken
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.files import sha256_of
from voxgrad.preparation.speech_recognition import Recogniser
from voxgrad.settings import ConversionSpec, SynthesisSpec
from voxgrad.voice.metadata import Recording
from voxgrad.voice.speak import AudioTarget, SpokenPassage
from voxgrad.voice.torch_engine import TorchEngine
from voxgrad.voice.voice import Voice

_TASK = "convert"


@dataclass(frozen=True)
class ConversionJob:
    """A recording to convert.

    Attributes:
        recording: an audio file.
        text: what is said in it; None: the recogniser writes it down.
        target: where the speech goes.
        seconds: of sound, once it is converted; None where it was there already.
    """

    recording: Path
    text: str | None
    target: AudioTarget
    seconds: float | None = None


@dataclass(frozen=True)
class ConversionOptions:
    """The options of a conversion.

    Attributes:
        kept: what is kept of the recordings.
        synthesis: steps, temperature, speaker.
        seed: of all noise.
        recogniser: for recordings without a text; None: there is none.
    """

    kept: ConversionSpec
    synthesis: SynthesisSpec
    seed: int
    recogniser: Recogniser | None


def convert(
    jobs: Sequence[ConversionJob], voice: Voice, options: ConversionOptions, emit: Emit
) -> Iterator[ConversionJob]:
    """Convert recordings one after another by a voice of torch, each into a file that appears complete.

    A file that says of itself that it was made just so is left as it is. One of several recordings that cannot be
    converted is reported, and the others are.

    Raises:
        BadInputError: one of them cannot be converted.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    emit(Began(_TASK, len(jobs), "recordings"))
    refused = 0
    for done, job in enumerate(jobs):
        try:
            yield _convert_one(job, voice, options, emit, done)
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
            "Fix the problems in the warnings, and run it again.",
        )


def _convert_one(job: ConversionJob, voice: Voice, options: ConversionOptions, emit: Emit, done: int) -> ConversionJob:
    kept, synthesis, seed, name = options.kept, options.synthesis, options.seed, job.recording.name
    recording = Recording(file=name, sha256=sha256_of(job.recording), conversion=kept.model_dump())
    if job.text is not None:
        recipe = conversion_recipe(voice, job.text, recording, synthesis, seed)
        if job.target.was_made_by(recipe):
            return job
    emit(Advanced(_TASK, done, f"{name}: analysing"))
    engine = voice.engine
    if not isinstance(engine, TorchEngine):
        raise TypeError(f"{voice.artifact} is not spoken by torch")
    source = read_source(job.recording, job.text, engine.acoustic, synthesis.speaker, voice.lexicon, options.recogniser)
    if source.skipped:
        message = f"no words were found in {source.skipped:.1f} s of {source.name}, so these are silent"
        emit(Said(message, "warning"))

    def pieces() -> Iterator[SpokenPassage]:
        count = len(source.pieces) + 1  # the last is the silence at the end
        for number, piece in enumerate(spoken(engine, source, kept, synthesis, seed), 1):
            yield piece
            emit(Advanced(_TASK, done + number / count, name))

    recipe = conversion_recipe(voice, source.text, recording, synthesis, seed)
    seconds = job.target.write(pieces(), recipe, voice.rate)
    return replace(job, text=source.text, seconds=round(seconds, 4))
