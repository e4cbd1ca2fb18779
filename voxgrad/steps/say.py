"""Texts and voices → speech: an artifact, audio files, or a stream.

A list or a stream leaves no artifact: a list may be as long as one likes, and a stream's reader may leave at any time.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from voxgrad.audio.writers import WaveWriter, convert
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Emit, Event, Said, Skipped, tracked
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.text.normalize import NothingToSayError
from voxgrad.text.ssml import is_ssml
from voxgrad.text.tokens import require_unicode
from voxgrad.voice.metadata import MARK
from voxgrad.voice.speak import AudioTarget, warn_unknown, warn_unread, with_progress, write_pieces
from voxgrad.voice.timings import TimedPassage
from voxgrad.voice.voice import SpeechJob

VERSION = 5
AUDIO, TIMINGS, TEXT = "speech.wav", "timings.json", "text.txt"
_TASK = "say"
_SHOWN = 400  # characters of a text that a manifest shows; all of it is in its file


def say(
    store: Store,
    job: SpeechJob,
    *,
    name: str | None = None,
    strict: bool = False,
    rescue: Path | None = None,
    emit: Emit,
) -> Artifact:
    """Speaks a text, or finds the speech that the same work made before.

    Audio and timings are written passage by passage, so that memory does not grow with the text. Where the work is
    interrupted, what is finished goes into the audio file ``rescue``. The artifact has the voice's name, unless another
    is given; ``strict`` refuses words that no dictionary has, and what nothing is said for.

    Raises:
        BadInputError: the text cannot be read, voice and vocoder do not fit, or strict found something.
    """
    text, voice = job.text, job.voice
    name = voice.artifact.name if name is None else name
    require_unicode(text)
    warn_unread(job, emit, strict=strict)
    heard = job.recipe.heard if is_ssml(text) else {}  # other voices and sounds count too
    parents = {
        **voice.parents,
        **{f"cast.{called}": other.artifact for called, other in job.cast.voices.items()},
    }
    settings = {"synthesis": job.settings.model_dump(), "delivery": job.delivery.model_dump(), **voice.lexicon.settings}
    settings |= voice.engine_settings
    key = fingerprint("say", VERSION, settings, parents, {"text": text, "seed": job.seed, "name": name, **heard})
    if (known := store.matching("speech", key)) is not None:
        warn_unknown(known.manifest.metrics["unknown_words"], emit, strict=strict)
        emit(Said(f"{known.ref} is up to date", "detail"))
        return known
    # The weights are read while the text is.
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(lambda: job.engine)
        summary = job.summarize()
        engine = loading.result()
    warn_unknown(summary.unknown, emit, strict=strict)
    with store.stage("speech", name) as staged:
        seconds = _write(staged.directory, job, summary.passages, rescue, emit)
        (staged.directory / TEXT).write_text(text, encoding="utf-8")
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings={"text": text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…", **settings, "synthetic": True},
            seed=job.seed,
            device=f"cpu, {engine.threads} threads",
            tools=dict(engine.tools),
            metrics={
                "seconds": round(seconds, 4),
                "passages": summary.passages,
                "tokens": summary.tokens,
                "unknown_words": list(summary.unknown),
            },
            consent=voice.artifact.manifest.consent,
            licence=voice.artifact.manifest.licence,
        )


def _write(directory: Path, job: SpeechJob, passages: int, rescue: Path | None, emit: Emit) -> float:
    audio, rate, begun = directory / AUDIO, job.rate, False
    with audio.open("wb") as wave, (directory / TIMINGS).open("w", encoding="utf-8") as lines:

        def note(timing: TimedPassage) -> None:
            nonlocal begun
            lines.write(f"{',' if begun else '['}\n{timing.line}")
            begun = True

        sink = WaveWriter(wave, rate, job.recipe.remark, job.delivery)
        try:
            samples = write_pieces(with_progress(job.pieces(), _TASK, passages, emit), sink, note)
            lines.write("\n]\n")
            sink.close()
        except (KeyboardInterrupt, VoxgradError):
            sink.close()
            wave.flush()
            if rescue is not None and begun:
                convert(audio, rescue, MARK, job.delivery)
                emit(Said(f"the audio so far is in {rescue}", "warning"))
            raise
    return samples / rate


@dataclass(frozen=True)
class SpokenFile:
    """A job of a list, where it goes, and what became of it.

    Attributes:
        where: what errors call the job.
        seconds: of sound; None where the file was there already.
    """

    where: str
    job: SpeechJob
    target: AudioTarget
    seconds: float | None = None


def say_to_files(jobs: Iterable[SpokenFile], total: int | None, *, strict: bool, emit: Emit) -> Iterator[SpokenFile]:
    """Speak utterances one after another, each into a file that appears complete.

    The jobs may still be coming, and ``total`` be unknown. A file that says of itself that it was made just so is left
    as it is, so that an interrupted list goes on where it stopped. One without a word to speak is left out with a
    warning, unless ``strict`` forbids it.

    Raises:
        BadInputError: one of them cannot be said; it is named, and those before it are done.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    for job in tracked(jobs, _TASK, "utterances", emit, total):
        try:
            yield _say_to_file(job, strict=strict, emit=emit)
        except BadInputError as error:
            if strict or not isinstance(error, NothingToSayError):
                raise BadInputError(f"{job.where}: {error.message}", error.hint) from error
            emit(Said(f"{job.where} is left out: {error.message}", "warning"))


def _say_to_file(file: SpokenFile, *, strict: bool, emit: Emit) -> SpokenFile:
    job = file.job

    def emit_with_place(event: Event) -> None:
        emit(replace(event, text=f"{file.where}: {event.text}") if isinstance(event, Said) else event)

    if file.target.was_made_by(job.recipe):
        emit(Skipped(_TASK))
        return file
    warn_unread(job, emit_with_place, strict=strict)
    warn_unknown(job.summarize().unknown, emit, strict=strict)
    seconds = file.target.write(job.pieces(), job.recipe, job.rate)
    return replace(file, seconds=round(seconds, 4))
