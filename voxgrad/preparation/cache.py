"""What was done before: by the dataset's last version, and by a run that was interrupted."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from voxgrad.errors import VoxgradError
from voxgrad.files import atomic_write, explain_os_errors
from voxgrad.preparation.alignment import Fit, WordFit
from voxgrad.preparation.recording import PreparedClip, RecordingOutcome
from voxgrad.preparation.word_checks import Suspect
from voxgrad.store.artifact import Artifact
from voxgrad.training.dataset import MELS, Clip
from voxgrad.transcripts.formats import Problem

RECORDINGS, AUDIO, REJECTED = "recordings.jsonl", "audio", "rejected"
REJECTED_MELS = "rejected.safetensors"
_META = "outcome"


def as_json(outcome: RecordingOutcome) -> dict[str, Any]:
    """An outcome without its audio and mels, as a JSON value."""
    made = [
        {
            "clip": asdict(one.clip),
            "record": one.record,
            "fit": None if one.fit is None else asdict(one.fit),
            "unknown": list(one.unknown),
        }
        for one in outcome.made
    ]
    return {"key": outcome.key, "made": made, "problems": [asdict(one) for one in outcome.problems]}


def _from_json(value: dict[str, Any], content: dict[str, tuple[bytes, np.ndarray]]) -> RecordingOutcome:
    made = []
    for one in value["made"]:
        clip = Clip(**{**one["clip"], "tokens": tuple(one["clip"]["tokens"])})
        flac, mel = content[clip.id]
        made.append(PreparedClip(clip, flac, mel, one["record"], _fit(one["fit"]), tuple(one["unknown"])))
    return RecordingOutcome(value["key"], tuple(made), tuple(Problem(**one) for one in value["problems"]))


def _fit(value: dict[str, Any] | None) -> Fit | None:
    if value is None:
        return None
    words = tuple(WordFit(**word) for word in value["words"])
    return Fit(
        **{**value, "words": words, "suspects": tuple(Suspect(**one) for one in value.get("suspects", ()))}
    )


@dataclass(frozen=True)
class RecordingCache:
    """Outcomes by key. An outcome that cannot be read is computed again.

    Attributes:
        directory: where outcomes lie until the dataset is published, one file each.
        before: a dataset to take over from.
    """

    directory: Path
    before: Artifact | None

    def get(self, key: str) -> RecordingOutcome | None:
        """What was made of a recording, byte by byte as it was; None where it has to be made."""
        found = self._unpublished(key)
        return found if found is not None else self._published(key)

    def put(self, outcome: RecordingOutcome) -> None:
        """Keeps an outcome for a run that goes on after this one.

        Raises:
            EnvironmentFailureError: the disk refuses.
        """
        tensors: dict[str, np.ndarray] = {}
        for one in outcome.made:
            tensors[f"flac/{one.clip.id}"] = np.frombuffer(one.flac, np.uint8)
            tensors[f"mel/{one.clip.id}"] = np.ascontiguousarray(one.mel)
        with explain_os_errors(f"write to {self.directory}"):
            self.directory.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._file(outcome.key)) as temporary:
            save_file(tensors, temporary, {_META: json.dumps(as_json(outcome))})

    def clear(self, keys: list[str]) -> None:
        """Removes what is in a published dataset by now."""
        for key in keys:
            self._file(key).unlink(missing_ok=True)
        with suppress(OSError):  # it holds recordings of another dataset, or is gone
            self.directory.rmdir()

    def _file(self, key: str) -> Path:
        return self.directory / f"{key}.safetensors"

    def _unpublished(self, key: str) -> RecordingOutcome | None:
        if not self._file(key).is_file():
            return None
        try:
            with safe_open(self._file(key), framework="numpy") as file:
                value = json.loads(file.metadata()[_META])
                content = {
                    one["clip"]["id"]: (
                        file.get_tensor(f"flac/{one['clip']['id']}").tobytes(),
                        file.get_tensor(f"mel/{one['clip']['id']}"),
                    )
                    for one in value["made"]
                }
            return _from_json(value, content)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None

    def _published(self, key: str) -> RecordingOutcome | None:
        if self.before is None or key not in self._rows:
            return None
        value = self._rows[key]
        try:
            content = {one["clip"]["id"]: self._content(one["clip"]["id"]) for one in value["made"]}
            return _from_json(value, content)
        except (VoxgradError, SafetensorError, OSError, KeyError, TypeError, ValueError):
            return None

    def _content(self, clip: str) -> tuple[bytes, np.ndarray]:
        """Audio and mel of a clip of the dataset before."""
        assert self.before is not None  # noqa: S101 (`_published` has seen to it)
        kept = f"{AUDIO}/{clip}.flac" in self._files
        path = self.before.path(f"{AUDIO if kept else REJECTED}/{clip}.flac")
        mel: np.ndarray = self._mels(MELS if kept else REJECTED_MELS).get_tensor(clip)  # type: ignore[no-untyped-call]
        return path.read_bytes(), mel

    def _mels(self, name: str) -> safe_open:
        return self._opened_mels[name]

    @cached_property
    def _opened_mels(self) -> dict[str, safe_open]:
        assert self.before is not None  # noqa: S101
        names = [name for name in (MELS, REJECTED_MELS) if name in self._files]
        return {name: safe_open(self.before.path(name), framework="numpy") for name in names}

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
            return {row["key"]: row for row in map(json.loads, _lines(text))}
        except (VoxgradError, OSError, ValueError, KeyError, TypeError):
            return {}


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.split("\n") if line)
