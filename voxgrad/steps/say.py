"""A text and a voice → speech."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voxgrad.audio.writers import WaveWriter, convert
from voxgrad.errors import VoxgradError
from voxgrad.events import Emit, Said
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.speech.cast import Cast, Casting
from voxgrad.speech.engines import open_speaker
from voxgrad.speech.provenance import MARK
from voxgrad.speech.results import SpokenPassage, TextSummary
from voxgrad.speech.speaker import Speaker, carried_lexicon
from voxgrad.speech.text_input import warn_unknown, warn_unread, with_progress
from voxgrad.speech.word_timings import TimedPassage
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import Parent, fingerprint
from voxgrad.store.publish import StagedArtifact
from voxgrad.store.store import Store
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.ssml import is_ssml
from voxgrad.text.tokens import require_unicode

VERSION = 5
AUDIO, TIMINGS, TEXT = "speech.wav", "timings.json", "text.txt"
_TASK = "say"
_SHOWN = 400  # characters of a text that a manifest shows; all of it is in its file


@dataclass(frozen=True)
class _Work:
    """What is asked for, resolved."""

    text: str
    lexicon: Lexicon
    parents: dict[str, Parent]
    settings: dict[str, Any]
    fingerprint: str


def say(
    store: Store,
    text: str,
    voice: Artifact,
    vocoder: Artifact | None,
    *,
    name: str,
    settings: SynthesisSpec,
    delivery: DeliverySpec = DeliverySpec(),  # noqa: B008 - frozen
    lexicon: Path | None = None,
    strict: bool = False,
    seed: int,
    graph: Artifact | None = None,
    casting: Casting = Cast,
    rescue: Path | None = None,
    emit: Emit,
) -> Artifact:
    """Speaks a text, or finds the speech that the same work made before.

    Audio and timings are written passage by passage, so that memory does not grow with the text.

    Args:
        store: where the speech goes.
        text: written English, or SSML.
        voice: a voice or a base.
        vocoder: None for Griffin-Lim, which needs no weights.
        name: of the speech artifact.
        settings: steps, temperature, speed.
        delivery: pitch, volume, silences.
        lexicon: pronunciations, which go before those of the voice, and these before the store's.
        strict: refuse words that no dictionary has, and what nothing is said for.
        seed: of all noise.
        graph: of the voice, where ONNX Runtime shall compute; see `voxgrad.speech.engines`.
        casting: makes the cast of SSML, told its narrator.
        rescue: an audio file for what is finished, where the work is interrupted.
        emit: called with progress events.

    Raises:
        BadInputError: the text or a lexicon cannot be read, voice and vocoder do not fit, or strict found something.
    """
    require_unicode(text)
    words = Lexicon.gather(store.home, carried_lexicon(voice), lexicon)
    warn_unread(text, emit, strict=strict)
    parents = {"voice": voice, **({"vocoder": vocoder} if vocoder is not None else {})}
    if graph is not None:
        parents["onnx"] = graph
    known_by = {role: parent.as_parent() for role, parent in parents.items()}
    resolved = {"synthesis": settings.model_dump(), "delivery": delivery.model_dump(), **words.settings}
    speaker: Speaker | None = None
    cast, heard = None, dict[str, Any]()
    if is_ssml(text):  # whose other voices and sounds count too
        speaker = open_speaker(voice, vocoder, words, graph)
        cast = casting(speaker)
        heard = speaker.recipe(text, settings, delivery, seed, cast).heard
        known_by |= {
            f"cast.{name}": member.synthesizer.voice.as_parent() for name, member in cast.known_members()
        }
    key = fingerprint("say", VERSION, resolved, known_by, {"text": text, "seed": seed, "name": name, **heard})
    if (known := store.matching("speech", key)) is not None:
        warn_unknown(known.manifest.metrics["unknown_words"], emit, strict=strict)
        emit(Said(f"nothing changed since {known.ref}", "detail"))
        return known
    speaker = open_speaker(voice, vocoder, words, graph) if speaker is None else speaker
    cast = casting(speaker) if cast is None else cast
    summary = speaker.summarize([text], cast)
    warn_unknown(summary.unknown, emit, strict=strict)
    work = _Work(text, words, known_by, resolved, key)
    pieces = with_progress(
        speaker.stream([text], settings, delivery, seed, cast), _TASK, summary.passages, emit
    )
    with store.stage("speech", name) as staged:
        remark = speaker.recipe(text, settings, delivery, seed, cast).remark
        seconds = _write(staged.directory, pieces, speaker.rate, remark, rescue, emit)
        (staged.directory / TEXT).write_text(text, encoding="utf-8")
        return _publish(staged, work, summary, seconds, seed, speaker)


def _publish(
    staged: StagedArtifact, work: _Work, summary: TextSummary, seconds: float, seed: int, speaker: Speaker
) -> Artifact:
    text = work.text
    return staged.publish(
        fingerprint=work.fingerprint,
        parents=work.parents,
        settings={
            "text": text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…",
            **work.settings,
            "synthetic": True,
        },
        seed=seed,
        device=f"cpu, {speaker.threads} threads",
        tools=speaker.tools,
        metrics={
            "seconds": round(seconds, 4),
            "passages": summary.passages,
            "tokens": summary.tokens,
            "unknown_words": list(summary.unknown),
        },
        consent=speaker.voice.manifest.consent,
        licence=speaker.voice.manifest.licence,
    )


def _write(
    directory: Path, pieces: Iterator[SpokenPassage], rate: int, remark: str, rescue: Path | None, emit: Emit
) -> float:
    """Write audio and timings as they come; returns the seconds."""
    samples, begun = 0, False
    audio, timings = directory / AUDIO, directory / TIMINGS
    try:
        with audio.open("wb") as wave, timings.open("w", encoding="utf-8") as lines:
            sink = WaveWriter(wave, rate, remark)
            try:
                for piece in pieces:
                    sink.write(piece.samples)
                    lines.write(f"{',' if begun else '['}\n{_line(piece.timing)}")
                    samples += len(piece.samples)
                    begun = True
            finally:
                sink.close()
            lines.write("\n]\n")
    except (KeyboardInterrupt, VoxgradError):
        if rescue is not None and samples:
            convert(audio, rescue, MARK)
            emit(Said(f"the audio up to then is in {rescue}", "warning"))
        raise
    return samples / rate


def _line(timing: TimedPassage) -> str:
    return json.dumps(asdict(timing), ensure_ascii=False, separators=(",", ":"))
