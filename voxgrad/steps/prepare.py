"""Recordings and their texts → a dataset."""

import hashlib
import json
import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import soundfile
import torch
from joblib import Parallel, delayed
from torch import Tensor

from voxgrad import pictures
from voxgrad.audio.clean import clean
from voxgrad.audio.io import Waveform, write_audio
from voxgrad.audio.mel import log_mel
from voxgrad.errors import BadInputError, VoxgradError
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.specs import AudioSpec, TextSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.text.lexicon import LEXICON, Lexicon, refuse_unknown
from voxgrad.text.pronounce import pronounce
from voxgrad.text.tokens import encode
from voxgrad.text.transcripts import Entry, Problem, find_transcripts
from voxgrad.training.corpus import Clip, write_corpus

VERSION = 2
UNKNOWN = "unknown.txt"
_TASK = "prepare"
_WORTH_A_PROCESS = 64
_SHOWN = 20  # rejections that are told of one by one
_WORDS_SHOWN = 40


@dataclass(frozen=True)
class _Made:
    """What became of one recording."""

    clip: Clip
    waveform: Waveform
    mel: Tensor
    unknown: tuple[str, ...]


def prepare(
    store: Store,
    folder: Path,
    *,
    name: str,
    transcripts: Path | None,
    audio: AudioSpec,
    text: TextSpec,
    lexicon: Path | None = None,
    strict: bool = False,
    jobs: int | None,
    emit: Emit,
) -> Artifact:
    """Makes a dataset of a folder of recordings, or finds the one that the same recordings made before.

    Args:
        store: where the dataset goes.
        folder: of recordings.
        name: of the dataset; also the speaker's, where the transcripts name none.
        transcripts: see :func:`voxgrad.text.transcripts.find_transcripts`.
        audio: how recordings become clips.
        text: how texts become tokens.
        lexicon: pronunciations, which go before those of the store's own lexicon; the dataset carries both.
        strict: refuse words that no dictionary has, before any work.
        jobs: processes; None: one for every processor where that pays.
        emit: told of progress.

    Raises:
        BadInputError: nothing usable was found, a lexicon cannot be read, or strict found unknown words.
    """
    entries, problems = find_transcripts(folder, transcripts)
    known_words = Lexicon.gather(store.home, lexicon)
    if strict:
        refuse_unknown(_unknown(entries, text, known_words))
    settings = {"audio": audio.model_dump(), "text": text.model_dump(), **known_words.settings}
    inputs = [[entry.id, entry.text, entry.speaker, _digest(entry.recording)] for entry in entries]
    refused = [asdict(problem) for problem in problems]
    key = fingerprint(_TASK, VERSION, settings, {}, {"name": name, "entries": inputs, "refused": refused})
    if (known := store.matching("dataset", key)) is not None:
        emit(Said(f"nothing changed since {known.ref}"))
        return known
    with store.stage("dataset", name) as draft:
        (draft.directory / "audio").mkdir()
        clips, mels, unknown = [], {}, Counter[str]()
        for found in _process(entries, name, audio, text, known_words, jobs=jobs, emit=emit):
            if isinstance(found, Problem):
                problems.append(found)
                continue
            write_audio(draft.directory / "audio" / f"{found.clip.id}.flac", found.waveform)
            clips.append(found.clip)
            mels[found.clip.id] = found.mel
            unknown.update(found.unknown)
        if not clips:
            first = f"{problems[0].id}: {problems[0].reason}"
            raise BadInputError(
                f"none of the {len(problems)} recordings in {folder} can be used, the first for this: {first}",
                "Mend the recordings or their transcripts.",
            )
        _tell(problems, emit)
        _tell_unknown(unknown, emit)
        clips.sort(key=lambda clip: clip.id)
        write_corpus(draft.directory, clips, mels)
        _write_lines(draft.directory / "rejected.jsonl", [asdict(problem) for problem in problems])
        if known_words:
            (draft.directory / LEXICON).write_text(known_words.text, encoding="utf-8")
        if unknown:
            (draft.directory / UNKNOWN).write_text(_to_fill_in(unknown), encoding="utf-8")
        shown = clips[0]
        pictures.draw_mel(draft.directory / "mel.png", mels[shown.id].numpy(), audio.mel, shown.text)
        metrics = _counts(clips, problems, unknown)
        return draft.publish(fingerprint=key, settings=settings, metrics=metrics, tools=_tools())


def _process(
    entries: list[Entry],
    name: str,
    audio: AudioSpec,
    text: TextSpec,
    lexicon: Lexicon,
    *,
    jobs: int | None,
    emit: Emit,
) -> Iterator[_Made | Problem]:
    """What becomes of every recording, in their order, so that any number of jobs gives the same dataset."""
    if jobs is None:
        jobs = os.cpu_count() if len(entries) >= _WORTH_A_PROCESS else 1
    work = (delayed(_make)(entry, name, audio, text, lexicon) for entry in entries)
    emit(Began(_TASK, len(entries), "recordings"))
    for done, result in enumerate(Parallel(n_jobs=jobs, return_as="generator")(work), 1):
        yield result
        emit(Advanced(_TASK, done))
    emit(Ended(_TASK))


def _make(entry: Entry, name: str, audio: AudioSpec, text: TextSpec, lexicon: Lexicon) -> _Made | Problem:
    """One recording; runs in a process of its own, so that an error comes back as a value."""
    try:
        cleaned = clean(entry.recording, audio)
        encoded = encode(entry.text, text, lexicon)
        mel = log_mel(torch.from_numpy(cleaned.waveform.samples), audio.mel)
    except VoxgradError as error:
        # Full paths are nobody's business in a dataset that may be shared.
        return Problem(entry.id, error.message.replace(str(entry.recording), entry.recording.name))
    clip = Clip(
        entry.id,
        entry.text,
        encoded.normalised,
        encoded.tokens,
        entry.speaker if entry.speaker is not None else name,
        mel.shape[1],
        round(cleaned.waveform.seconds, 4),
    )
    if clip.frames < len(clip.tokens):
        return Problem(entry.id, f"{clip.seconds:.1f} s are too short for its text")
    return _Made(clip, cleaned.waveform, mel, encoded.unknown)


def _tell(problems: Sequence[Problem], emit: Emit) -> None:
    for problem in problems[:_SHOWN]:
        emit(Said(f"left out {problem.id}: {problem.reason}", "warning"))
    if len(problems) > _SHOWN:
        emit(Said(f"left out {len(problems) - _SHOWN} more; see rejected.jsonl of the dataset", "warning"))


def _unknown(entries: Sequence[Entry], text: TextSpec, lexicon: Lexicon) -> Counter[str]:
    """Words that no dictionary has, and in how many texts they stand."""
    unknown = Counter[str]()
    for entry in entries:
        with suppress(VoxgradError):  # a text that cannot be read is told of when its turn comes
            unknown.update(encode(entry.text, text, lexicon).unknown)
    return unknown


def _tell_unknown(unknown: Counter[str], emit: Emit) -> None:
    if not unknown:
        return
    words = [f"{word} ({count})" for word, count in _by_count(unknown)]
    rest = f" and {len(words) - _WORDS_SHOWN} more" if len(words) > _WORDS_SHOWN else ""
    listed = textwrap.fill(
        ", ".join(words[:_WORDS_SHOWN]) + rest, 78, initial_indent="  ", subsequent_indent="  "
    )
    count = "1 word is" if len(words) == 1 else f"{len(words)} words are"
    mend = f"Mend them in {UNKNOWN} of the dataset, and give that with --lexicon."
    emit(Said(f"{count} in no dictionary, and so a guess:\n{listed}\n  {mend}", "warning"))


def _to_fill_in(unknown: Counter[str]) -> str:
    """A lexicon of guesses, the most frequent words first."""
    lines = [f"{word}  {' '.join(pronounce(word).phones)}  # {count}\n" for word, count in _by_count(unknown)]
    return (
        "# Words that no dictionary has, with a guess at each and the number of texts that have it.\n"
        "# Mend the phones, leave out what is right, and prepare again with --lexicon and this file.\n"
        + "".join(lines)
    )


def _by_count(unknown: Counter[str]) -> list[tuple[str, int]]:
    return sorted(unknown.items(), key=lambda item: (-item[1], item[0]))


def _counts(clips: list[Clip], problems: list[Problem], unknown: Counter[str]) -> dict[str, object]:
    return {
        "clips": len(clips),
        "rejected": len(problems),
        "seconds": round(sum(clip.seconds for clip in clips), 2),
        "frames": sum(clip.frames for clip in clips),
        "tokens": sum(len(clip.tokens) for clip in clips),
        "speakers": dict(Counter(clip.speaker for clip in clips)),
        "unknown_words": dict(_by_count(unknown)),
    }


def _write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _tools() -> dict[str, str]:
    return {"torch": torch.__version__, "libsndfile": soundfile.__libsndfile_version__}


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"  # why, is told when its turn comes
