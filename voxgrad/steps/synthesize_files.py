"""Utterances → audio files or one stream, which carry their metadata.

Unlike `say` these leave no artifact: a list may be as long as one likes, and a stream's reader may leave at any time.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from voxgrad.audio.writers import AudioWriter, open_writer
from voxgrad.errors import BadInputError
from voxgrad.events import Advanced, Began, Emit, Ended, Event, Said
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.speech.cast import Cast
from voxgrad.speech.provenance import MARK, was_made_by
from voxgrad.speech.results import SpokenPassage
from voxgrad.speech.speaker import Speaker
from voxgrad.speech.text_input import warn_unknown, warn_unread, with_progress
from voxgrad.speech.word_timings import TimedPassage, write_timings
from voxgrad.text.normalize import NothingToSayError


@dataclass(frozen=True)
class Job:
    """An utterance with all that it needs.

    Attributes:
        where: what errors call it.
        text: written English.
        speaker: whose voice.
        synthesis: steps, temperature, speed.
        delivery: pitch, volume, silences.
        seed: of all noise.
        target: an audio file.
        timings: a file and its format, or None.
        cast: the voices and sounds of SSML.
    """

    where: str
    text: str
    speaker: Speaker
    synthesis: SynthesisSpec
    delivery: DeliverySpec
    seed: int
    target: Path
    timings: tuple[Path, str] | None
    cast: Cast | None = None


@dataclass(frozen=True)
class Spoken:
    """What became of a job.

    Attributes:
        seconds: of sound; None where the file was there already.
    """

    job: Job
    seconds: float | None

    @property
    def parents(self) -> dict[str, str]:
        """References of what spoke, by role."""
        return self.job.speaker.parents


def speak_to_files(
    jobs: Iterable[Job], total: int | None, *, metadata: bool, strict: bool, emit: Emit
) -> Iterator[Spoken]:
    """Speak utterances one after another, each into a file that appears complete.

    A file that says of itself that it was made just so is left as it is, so that an interrupted list goes on where it
    stopped.

    Args:
        jobs: what to say.
        total: how many, if that is known.
        metadata: False leaves only the mark that they are synthetic, and makes every file anew.
        strict: refuse words that no dictionary has, and what nothing is said for.
        emit: called with progress events.

    One without a word to speak is left out with a warning, unless ``strict`` forbids it.

    Raises:
        BadInputError: one of them cannot be said; it is named, and those before it are done.
        EnvironmentFailureError: the disk refuses.
    """
    emit(Began("say", total, "utterances"))
    for done, job in enumerate(jobs, 1):
        try:
            yield _one(job, metadata=metadata, strict=strict, emit=emit)
        except BadInputError as error:
            if strict or not isinstance(error, NothingToSayError):
                raise BadInputError(f"{job.where}: {error.message}", error.hint) from error
            emit(Said(f"{job.where} is left out: {error.message}", "warning"))
        emit(Advanced("say", done))
    emit(Ended("say"))


def speak_to_stream(
    speaker: Speaker,
    texts: Iterable[str],
    sink: Callable[[], AudioWriter],
    *,
    synthesis: SynthesisSpec,
    delivery: DeliverySpec,
    seed: int,
    cast: Cast | None = None,
    emit: Emit,
) -> tuple[list[TimedPassage], float]:
    """Speak texts, which may still be coming, into a stream.

    Args:
        speaker: whose voice.
        texts: a paragraph each.
        sink: gives what to write to; asked once there is something to write.
        synthesis: steps, temperature, speed.
        delivery: pitch, volume, silences.
        seed: of all noise.
        cast: the voices and sounds of SSML.
        emit: called with progress events.

    Returns:
        When each passage was said, and the seconds of all.

    Raises:
        BadInputError: a text cannot be read.
        BrokenPipeError: nobody listens any more.
    """
    pieces = speaker.stream(texts, synthesis, delivery, seed, cast)
    return _written(with_progress(pieces, "say", None, emit), sink, speaker.rate)


def _of_job(event: Event, job: Job) -> Event:
    return replace(event, text=f"{job.where}: {event.text}") if isinstance(event, Said) else event


def _one(job: Job, *, metadata: bool, strict: bool, emit: Emit) -> Spoken:
    recipe = job.speaker.recipe(job.text, job.synthesis, job.delivery, job.seed, job.cast)
    if metadata and (job.timings is None or job.timings[0].exists()) and was_made_by(job.target, recipe):
        return Spoken(job, None)
    warn_unread(job.text, lambda event: emit(_of_job(event, job)), strict=strict)
    warn_unknown(job.speaker.summarize([job.text], job.cast).unknown, emit, strict=strict)
    with open_writer(job.target, job.speaker.rate, recipe.remark if metadata else MARK) as sink:
        pieces = job.speaker.stream([job.text], job.synthesis, job.delivery, job.seed, job.cast)
        timings, seconds = _written(pieces, lambda: sink, job.speaker.rate)
    if job.timings is not None:
        write_timings(*job.timings, timings, seconds)
    return Spoken(job, round(seconds, 4))


def _written(
    pieces: Iterable[SpokenPassage], sink: Callable[[], AudioWriter], rate: int
) -> tuple[list[TimedPassage], float]:
    timings, samples, into = [], 0, None
    for piece in pieces:
        into = sink() if into is None else into
        into.write(piece.samples)
        timings.append(piece.timing)
        samples += len(piece.samples)
    return timings, samples / rate
