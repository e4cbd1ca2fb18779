"""Prepares one recording, in any process: its clips with mels and measures, or the reason why there are none."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import soundfile
import torch
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from torch import Tensor

from voxgrad.audio.clean import (
    CleanedClip,
    OpenedRecording,
    cut_clip,
    cutting_pauses,
    denoise,
    into_silence,
    open_recording,
    pauses,
    pieces,
)
from voxgrad.audio.io import Waveform
from voxgrad.audio.mel import log_mel
from voxgrad.device import torch_threads
from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError, VoxgradError
from voxgrad.preparation.alignment import Aligner, TranscriptScore, loaded, score_transcript, suspects
from voxgrad.preparation.long_recordings import match_script
from voxgrad.preparation.speech_recognition import Heard, Recogniser, recognise
from voxgrad.settings import AudioSpec, MelSpec, TextSpec
from voxgrad.text.ipa import is_phone
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.symbols import Encoded
from voxgrad.text.tokens import encode_transcript
from voxgrad.training.dataset import Clip
from voxgrad.transcripts.registry import Entry, Problem

_OF_THE_RECORDING = (BadInputError, IntegrityError)
"""What is wrong with one recording; others go on."""
_PAST_THE_END = 0.5
"""Seconds that a segment may end after its recording: times are often rounded."""


@dataclass(frozen=True)
class RecordingSettings:
    """What a prepared recording depends on, besides the recording and its text."""

    speaker: str
    """Whose clips they are where the transcripts name nobody."""
    audio: AudioSpec
    text: TextSpec
    lexicon: Lexicon
    base: Aligner | None
    """What aligns; None: nothing is aligned, and long recordings cannot be matched."""
    recogniser: Recogniser | None
    """What writes down recordings without a text; None: nothing does."""
    denoise: bool = False


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """One clip, as training reads it, and what else is known of it."""

    clip: Clip
    flac: bytes
    mel: NDArray[np.float32]
    """(n_mels, frames)."""
    record: dict[str, Any]
    """What was done to it and what it measures, as JSON values."""
    fit: TranscriptScore | None
    """None without a base."""
    unknown: tuple[str, ...]
    """Words that no dictionary has."""


@dataclass(frozen=True, eq=False)
class RecordingOutcome:
    """The result of one recording: its clips, and its problems."""

    key: str
    made: tuple[PreparedClip, ...]
    problems: tuple[Problem, ...]


def prepare_recording(entry: Entry, key: str, how: RecordingSettings) -> RecordingOutcome:
    """Prepares one recording. Problems are returned, not raised, because the other recordings continue.

    Raises:
        EnvironmentFailureError: the recogniser does not work here, which no other recording would change.
    """
    made: list[PreparedClip] = []
    problems: list[Problem] = []
    with torch_threads(1):  # so that any number of processes makes the same dataset
        try:
            opened = open_recording(entry.recording, how.audio)
            if how.denoise:
                opened = replace(opened, waveform=denoise(opened.waveform), noisy=opened.waveform)
            for found in _clips(entry, opened, how):
                (made if isinstance(found, PreparedClip) else problems).append(found)  # type: ignore[arg-type]
        except _OF_THE_RECORDING as error:
            problems.append(_problem(entry.id, entry, error))
    return RecordingOutcome(key, tuple(made), tuple(problems))


def _clips(entry: Entry, opened: OpenedRecording, how: RecordingSettings) -> Iterator[PreparedClip | Problem]:
    """One clip of a short recording, several of a long one or of one with times."""
    if entry.segments:
        yield from _segment_clips(entry, opened, how)
        return
    whole = (0.0, opened.waveform.seconds)
    short = whole[1] <= 2 * how.audio.max_seconds
    cleaned = cut_clip(opened, whole, how.audio, entry.recording.name) if short else None
    if cleaned is not None and cleaned.waveform.seconds <= how.audio.max_seconds:
        yield _made(entry, cleaned, how)
    else:
        yield from _pieces(entry, opened, how)


def _segment_clips(entry: Entry, opened: OpenedRecording, how: RecordingSettings) -> Iterator[PreparedClip | Problem]:
    """A clip of every part that has a text; of a part that is too long, several."""
    seconds = opened.waveform.seconds
    silences = pauses(opened.waveform)
    borders = [0.0, *(time for segment in entry.segments for time in (segment.start, segment.stop)), seconds]
    for number, segment in enumerate(entry.segments, 1):
        name = entry.id if len(entry.segments) == 1 else _numbered(entry.id, number, len(entry.segments))
        piece = replace(entry, id=name, text=segment.text, source=segment.source, segments=(), speaker=segment.speaker)
        if segment.stop > seconds + _PAST_THE_END:
            yield Problem(name, f"{segment.source} ends at {segment.stop:.2f} s, and the recording at {seconds:.2f} s")
            continue
        around = (borders[2 * number - 2], min(borders[2 * number + 1], seconds))
        span = into_silence((segment.start, min(segment.stop, seconds)), silences, around)
        try:
            cleaned = cut_clip(opened, span, how.audio, entry.recording.name)
            if cleaned.waveform.seconds <= how.audio.max_seconds:
                yield _made(piece, cleaned, how)
            else:
                yield from _pieces(piece, opened.part(span), how)
        except _OF_THE_RECORDING as error:
            yield _problem(name, entry, error)


def _pieces(entry: Entry, opened: OpenedRecording, how: RecordingSettings) -> Iterator[PreparedClip | Problem]:
    """The clips of what is too long for one: it is cut at its pauses, and its text divided among the pieces."""
    cuts = cutting_pauses(opened.waveform, how.audio)
    spans = pieces(cuts, opened.waveform.seconds)
    texts = [""] * len(spans)
    if entry.text:
        if how.base is None:
            message = f"it lasts {opened.waveform.seconds:.1f} s, and there is no base to align its text"
            raise BadInputError(message, "Split it into sentences, or name a base with --base.")
        mel = log_mel(torch.from_numpy(opened.waveform.samples), how.audio.mel)
        texts = match_script(loaded(how.base), entry.text, mel, cuts, how.lexicon)
    for number, (span, text) in enumerate(zip(spans, texts, strict=True), 1):
        piece = replace(entry, id=_numbered(entry.id, number, len(spans)), text=text)
        try:
            if entry.text and not text:
                raise BadInputError("none of the text belongs to this piece", "Leave it out.")
            cleaned = cut_clip(opened, span, how.audio, entry.recording.name)
            if cleaned.waveform.seconds > how.audio.max_seconds:
                raise BadInputError(
                    f"{cleaned.waveform.seconds:.1f} s contain no pause to cut at", "Split it yourself."
                )
            yield _made(piece, cleaned, how)
        except _OF_THE_RECORDING as error:
            yield _problem(piece.id, entry, error)


def _numbered(name: str, number: int, of: int) -> str:
    return f"{name}-{number:0{max(3, len(str(of)))}}"


def _problem(name: str, entry: Entry, error: VoxgradError) -> Problem:
    # Full paths are private, and a dataset may be shared.
    return Problem(name, error.message.replace(str(entry.recording), entry.recording.name))


def _made(entry: Entry, cleaned: CleanedClip, how: RecordingSettings) -> PreparedClip:
    heard = None
    if not entry.text:
        if how.recogniser is None:
            raise BadInputError(f"{entry.recording.name} has no text", "Write one, or use --transcribe.")
        heard = recognise(how.recogniser, cleaned.waveform)
        entry = replace(entry, text=heard.text, source=how.recogniser.name)
    encoded = encode_transcript(entry.text, how.text, how.lexicon)
    mel = log_mel(torch.from_numpy(cleaned.waveform.samples), how.audio.mel)
    clip = Clip(
        entry.id,
        entry.text,
        encoded.normalised,
        encoded.tokens,
        entry.speaker if entry.speaker is not None else how.speaker,
        mel.shape[1],
        round(cleaned.waveform.seconds, 4),
    )
    if clip.frames < len(clip.tokens):
        raise BadInputError(f"{clip.seconds:.1f} s is too short for its text", "Check the text.")
    return PreparedClip(
        clip,
        _flac(cleaned.waveform),
        mel.numpy(),
        _record(entry, cleaned, encoded, heard),
        None if how.base is None else _fit(how.base, entry.text, mel, how),
        encoded.unknown,
    )


def _fit(base: Aligner, text: str, mel: Tensor, how: RecordingSettings) -> TranscriptScore | None:
    found = score_transcript(loaded(base), text, mel, how.lexicon)
    if found is None or how.audio.mel != MelSpec():  # the classifier knows no other mel
        return found
    return replace(found, suspects=suspects(text, mel, how.lexicon, how.text.language))


def _record(entry: Entry, cleaned: CleanedClip, encoded: Encoded, heard: Heard | None) -> dict[str, Any]:
    phones = sum(is_phone(label) for label in encoded.phones)
    return {
        "recording": entry.recording.name,
        "text_from": entry.source.partition(":")[0],
        "transcribed": heard is not None,
        **({} if heard is None or heard.log_probability is None else {"log_probability": heard.log_probability}),
        "source": asdict(cleaned.source),
        "span": [round(time, 3) for time in cleaned.span],
        "leading_seconds": round(cleaned.leading, 3),
        "trailing_seconds": round(cleaned.trailing, 3),
        "gain_db": round(cleaned.gain, 2),
        "decay_seconds": list(cleaned.decays),
        **({} if cleaned.snr_before is None else {"snr_db_before": cleaned.snr_before}),
        "measures": {**asdict(cleaned.measures), "phones_per_second": round(phones / cleaned.waveform.seconds, 2)},
    }


def _flac(waveform: Waveform) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform.samples, -1.0, 1.0), waveform.rate, "PCM_16", format="FLAC")
    return file.getvalue()


LOCAL = "local"
_DASK = "dask://"
_WORTH_A_PROCESS = 64
_SECONDS_TO_CONNECT = "10s"


def check_engine(engine: str) -> None:
    """Check that an engine can be used.

    Raises:
        BadInputError: it is neither ``local`` nor ``dask://HOST:PORT``, or Dask is not installed.
    """
    if engine == LOCAL:
        return
    host, _, port = engine.removeprefix(_DASK).rpartition(":")
    if not engine.startswith(_DASK) or not host or not port.isdigit():
        raise BadInputError(f"unknown engine {engine}", "Choose local or dask://HOST:PORT.")
    if find_spec("distributed") is None:
        raise BadInputError("Dask is not installed", "Install it: pip install 'voxgrad[dask]'.")


def prepare_recordings(
    entries: Sequence[Entry], keys: Sequence[str], how: RecordingSettings, *, engine: str, jobs: int | None
) -> Iterator[RecordingOutcome]:
    """The outcome of every recording, in order; ``keys`` are those of the outcomes.

    ``engine`` is ``local`` or ``dask://HOST:PORT``, a cluster whose workers must see the files under the same paths. Of
    ``jobs``, the number of processes, None is one for every processor where that pays.

    Raises:
        EnvironmentFailureError: the cluster does not answer.
    """
    if engine == LOCAL:
        count = os.cpu_count() if len(entries) >= _WORTH_A_PROCESS else 1
        jobs = count if jobs is None else jobs
    with _on(engine):
        calls = (delayed(prepare_recording)(entry, key, how) for entry, key in zip(entries, keys, strict=True))
        yield from Parallel(n_jobs=-1 if jobs is None else jobs, return_as="generator")(calls)


@contextmanager
def _on(engine: str) -> Iterator[None]:
    if engine == LOCAL:
        yield
        return
    distributed = import_module("distributed")  # an optional extra, typed only where it is installed

    address = f"tcp://{engine.removeprefix(_DASK)}"
    try:
        client = distributed.Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=True)
    except (OSError, TimeoutError) as error:
        raise EnvironmentFailureError(
            f"no Dask scheduler answers at {engine}", "Start one with `dask scheduler`, or check the address."
        ) from error
    with client, parallel_config(backend="dask"):
        yield
