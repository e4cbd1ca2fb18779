"""The files of a dataset, and a cache of recordings prepared by its last version or an interrupted run."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from voxgrad.errors import VoxgradError
from voxgrad.files import atomic_write, explain_os_errors
from voxgrad.preparation.alignment import TranscriptScore
from voxgrad.preparation.quality_checks import Duplicates, MixedVoices, Verdict, duplicates, mixed_voices
from voxgrad.preparation.recording import PreparedClip, RecordingOutcome
from voxgrad.store.artifact import Artifact
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.text.pronounce import pronounce
from voxgrad.training.dataset import CLIPS, MELS, Clip, write_corpus
from voxgrad.transcripts.registry import Problem

RECORDINGS, AUDIO, REJECTED = "recordings.jsonl", "audio", "rejected"
REJECTED_MELS = "rejected.safetensors"
_META = "outcome"
_UNREADABLE = (VoxgradError, SafetensorError, OSError, KeyError, TypeError, ValueError)


def as_json(outcome: RecordingOutcome) -> dict[str, Any]:
    """An outcome without its audio and mels, as a JSON value."""
    made = [
        {
            "clip": asdict(prepared.clip),
            "record": prepared.record,
            "fit": prepared.fit and asdict(prepared.fit),
            "unknown": prepared.unknown,
        }
        for prepared in outcome.made
    ]
    return {"key": outcome.key, "made": made, "problems": [asdict(problem) for problem in outcome.problems]}


def _from_json(value: dict[str, Any], content: Callable[[str], tuple[bytes, np.ndarray]]) -> RecordingOutcome:
    """An outcome with the audio and mels that ``content`` gives for the ids of its clips."""
    made = []
    for row in value["made"]:
        clip = TypeAdapter(Clip).validate_python(row["clip"])
        fit = TypeAdapter(TranscriptScore | None).validate_python(row["fit"])
        made.append(PreparedClip(clip, *content(clip.id), row["record"], fit, tuple(row["unknown"])))
    return RecordingOutcome(value["key"], tuple(made), tuple(Problem(**problem) for problem in value["problems"]))


@dataclass(frozen=True)
class RecordingCache:
    """Outcomes by key, one file each in a directory until the dataset is published, and those of the dataset before.

    An outcome that cannot be read is computed again.
    """

    directory: Path
    before: Artifact | None
    _mels: dict[str, safe_open] = field(default_factory=dict, init=False)
    """The open files of the dataset before."""

    def get(self, key: str) -> RecordingOutcome | None:
        """The stored outcome of a recording, byte for byte; None if it has to be prepared."""
        for found in (self._unpublished, self._published):
            with suppress(*_UNREADABLE):
                if (outcome := found(key)) is not None:
                    return outcome
        return None

    def put(self, outcome: RecordingOutcome) -> None:
        """Keeps an outcome for a later run.

        Raises:
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        tensors: dict[str, np.ndarray] = {}
        for prepared in outcome.made:
            tensors[f"flac/{prepared.clip.id}"] = np.frombuffer(prepared.flac, np.uint8)
            tensors[f"mel/{prepared.clip.id}"] = np.ascontiguousarray(prepared.mel)
        with explain_os_errors(f"write to {self.directory}"):
            self.directory.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._file(outcome.key)) as temporary:
            save_file(tensors, temporary, {_META: json.dumps(as_json(outcome))})

    def clear(self, keys: list[str]) -> None:
        """Removes outcomes that are now in a published dataset."""
        for key in keys:
            self._file(key).unlink(missing_ok=True)
        with suppress(OSError):  # it holds recordings of another dataset, or is gone
            self.directory.rmdir()

    def _file(self, key: str) -> Path:
        return self.directory / f"{key}.safetensors"

    def _unpublished(self, key: str) -> RecordingOutcome | None:
        if not self._file(key).is_file():
            return None
        with safe_open(self._file(key), framework="numpy") as file:

            def content(clip: str) -> tuple[bytes, np.ndarray]:
                return file.get_tensor(f"flac/{clip}").tobytes(), file.get_tensor(f"mel/{clip}")

            return _from_json(json.loads(file.metadata()[_META]), content)

    def _published(self, key: str) -> RecordingOutcome | None:
        if self.before is None or key not in self._rows:
            return None
        return _from_json(self._rows[key], partial(self._content, self.before))

    def _content(self, before: Artifact, clip: str) -> tuple[bytes, np.ndarray]:
        """Audio and mel of a clip of the dataset before."""
        folder, mels = (AUDIO, MELS) if f"{AUDIO}/{clip}.flac" in self._files else (REJECTED, REJECTED_MELS)
        if mels not in self._mels:
            self._mels[mels] = safe_open(before.path(mels), framework="numpy")
        mel = self._mels[mels].get_tensor(clip)  # type: ignore[no-untyped-call]
        return before.path(f"{folder}/{clip}.flac").read_bytes(), mel

    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset() if self.before is None else frozenset(e.path for e in self.before.manifest.files)

    @cached_property
    def _rows(self) -> dict[str, dict[str, Any]]:
        """What the dataset before says of its recordings, by key."""
        if self.before is None or RECORDINGS not in self._files:
            return {}
        try:
            text = self.before.path(RECORDINGS).read_text(encoding="utf-8")
            return {row["key"]: row for row in map(json.loads, filter(None, text.split("\n")))}
        except _UNREADABLE:
            return {}


VERDICTS, PROBLEMS, UNKNOWN = "verdicts.jsonl", "rejected.jsonl", "unknown.txt"


@dataclass(frozen=True, eq=False)
class JudgedRecordings:
    """The outcomes of all recordings of a folder, and the verdicts on their clips."""

    outcomes: tuple[RecordingOutcome, ...]
    problems: tuple[Problem, ...]
    """All that was left out, with the reasons."""
    verdicts: dict[str, Verdict]
    """Of every clip, by id."""

    @property
    def made(self) -> list[PreparedClip]:
        """Every clip that could be made, by id."""
        return sorted(
            (prepared for outcome in self.outcomes for prepared in outcome.made), key=lambda prepared: prepared.clip.id
        )

    @property
    def kept(self) -> list[PreparedClip]:
        """The clips of the dataset."""
        return [prepared for prepared in self.made if self.verdicts[prepared.clip.id].word != "rejected"]

    @cached_property
    def duplicates(self) -> Duplicates:
        """Clips that occur more than once."""
        return duplicates(self.made)

    @cached_property
    def mixed_voices(self) -> list[MixedVoices]:
        """The speakers whose clips seem to have two voices."""
        return mixed_voices(self.made)

    @property
    def unknown(self) -> dict[str, int]:
        """Words in no dictionary, with the number of kept clips that contain them; the most frequent first."""
        counts = Counter(word for prepared in self.kept for word in prepared.unknown)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def metrics(self) -> dict[str, object]:
        """The metrics for the manifest."""
        kept = [prepared.clip for prepared in self.kept]
        return {
            "clips": len(kept),
            "rejected": len(self.problems),
            "warnings": sum(self.verdicts[clip.id].word == "warning" for clip in kept),
            "seconds": round(sum(clip.seconds for clip in kept), 2),
            "frames": sum(clip.frames for clip in kept),
            "tokens": sum(len(clip.tokens) for clip in kept),
            "speakers": dict(Counter(clip.speaker for clip in kept)),
            "unknown_words": self.unknown,
        }


def write_payload(directory: Path, judged: JudgedRecordings, lexicon: Lexicon) -> None:
    """Writes everything but pictures and report."""
    kept = judged.kept
    rejected = [prepared for prepared in judged.made if judged.verdicts[prepared.clip.id].word == "rejected"]
    _write_sounds(directory / AUDIO, kept)
    write_corpus(directory, (prepared.clip for prepared in kept), _mels(kept))
    if rejected:  # so that nothing is made again for a change of mind
        _write_sounds(directory / REJECTED, rejected)
        write_corpus(directory / REJECTED, [], _mels(rejected))
        (directory / REJECTED / MELS).rename(directory / REJECTED_MELS)
        (directory / REJECTED / CLIPS).unlink()
    _write_lines(directory / RECORDINGS, map(as_json, judged.outcomes))
    verdicts = ({"id": name, **asdict(verdict)} for name, verdict in sorted(judged.verdicts.items()))
    _write_lines(directory / VERDICTS, verdicts)
    _write_lines(directory / PROBLEMS, map(asdict, judged.problems))
    if lexicon:
        (directory / LEXICON).write_text(lexicon.text, encoding="utf-8")
    if unknown := judged.unknown:
        (directory / UNKNOWN).write_text(_lexicon_of_guesses(unknown), encoding="utf-8")


def _mels(clips: Sequence[PreparedClip]) -> dict[str, torch.Tensor]:
    return {prepared.clip.id: torch.from_numpy(prepared.mel) for prepared in clips}


def _write_sounds(folder: Path, made: Sequence[PreparedClip]) -> None:
    folder.mkdir()
    for prepared in made:
        (folder / f"{prepared.clip.id}.flac").write_bytes(prepared.flac)


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _lexicon_of_guesses(unknown: dict[str, int]) -> str:
    lines = [f"{word}  {' '.join(pronounce(word).phones)}  # {count}\n" for word, count in unknown.items()]
    return (
        "# Words in no dictionary, each with a guessed pronunciation and the number of texts that contain it.\n"
        "# Correct the phones, delete the lines that are right, and pass this file to prepare with --lexicon.\n"
        + "".join(lines)
    )
