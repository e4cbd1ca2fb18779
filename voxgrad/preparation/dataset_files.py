"""The files of a dataset, and what its manifest says of them."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from voxgrad.preparation.cache import AUDIO, RECORDINGS, REJECTED, REJECTED_MELS, as_json
from voxgrad.preparation.duplicates import Duplicates, duplicates
from voxgrad.preparation.messages import UNKNOWN, by_count, lexicon_template
from voxgrad.preparation.quality_checks import Verdict
from voxgrad.preparation.recording import PreparedClip, RecordingOutcome
from voxgrad.preparation.speaker_clusters import Voices, mixed_voices
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.training.dataset import CLIPS, MELS, write_corpus
from voxgrad.transcripts.formats import Problem

VERDICTS, PROBLEMS = "verdicts.jsonl", "rejected.jsonl"


@dataclass(frozen=True, eq=False)
class JudgedRecordings:
    """All that was made of a folder of recordings, and what is thought of it.

    Attributes:
        outcomes: of the recordings, in their order.
        problems: all that was left out, with the reasons.
        verdicts: of every clip, by id.
    """

    outcomes: tuple[RecordingOutcome, ...]
    problems: tuple[Problem, ...]
    verdicts: dict[str, Verdict]

    @property
    def made(self) -> list[PreparedClip]:
        """Every clip that could be made, by id."""
        return sorted((one for outcome in self.outcomes for one in outcome.made), key=lambda one: one.clip.id)

    @property
    def kept(self) -> list[PreparedClip]:
        """The clips of the dataset."""
        return [one for one in self.made if self.verdicts[one.clip.id].word != "rejected"]

    @cached_property
    def duplicates(self) -> Duplicates:
        """Clips that are there more than once."""
        return duplicates(self.made)

    @cached_property
    def mixed_voices(self) -> list[Voices]:
        """The speakers among whose clips there are two voices."""
        return mixed_voices(self.made)

    @property
    def unknown(self) -> Counter[str]:
        """Words that no dictionary has, and the number of kept clips that have them."""
        return Counter(word for one in self.kept for word in one.unknown)

    def metrics(self) -> dict[str, object]:
        """What the manifest counts."""
        kept = [one.clip for one in self.kept]
        return {
            "clips": len(kept),
            "rejected": len(self.problems),
            "warnings": sum(self.verdicts[clip.id].word == "warning" for clip in kept),
            "seconds": round(sum(clip.seconds for clip in kept), 2),
            "frames": sum(clip.frames for clip in kept),
            "tokens": sum(len(clip.tokens) for clip in kept),
            "speakers": dict(Counter(clip.speaker for clip in kept)),
            "unknown_words": dict(by_count(self.unknown)),
        }


def write_payload(directory: Path, judged: JudgedRecordings, lexicon: Lexicon) -> None:
    """Writes everything but pictures and report."""
    kept = judged.kept
    rejected = [one for one in judged.made if judged.verdicts[one.clip.id].word == "rejected"]
    _write_sounds(directory / AUDIO, kept)
    write_corpus(
        directory, (one.clip for one in kept), {one.clip.id: torch.from_numpy(one.mel) for one in kept}
    )
    if rejected:  # so that nothing is made again for a change of mind
        _write_sounds(directory / REJECTED, rejected)
        mels = {one.clip.id: torch.from_numpy(one.mel) for one in rejected}
        write_corpus(directory / REJECTED, [], mels)
        (directory / REJECTED / MELS).rename(directory / REJECTED_MELS)
        (directory / REJECTED / CLIPS).unlink()
    _write_lines(directory / RECORDINGS, map(as_json, judged.outcomes))
    verdicts = ({"id": name, **asdict(one)} for name, one in sorted(judged.verdicts.items()))
    _write_lines(directory / VERDICTS, verdicts)
    _write_lines(directory / PROBLEMS, map(asdict, judged.problems))
    if lexicon:
        (directory / LEXICON).write_text(lexicon.text, encoding="utf-8")
    if unknown := judged.unknown:
        (directory / UNKNOWN).write_text(lexicon_template(unknown), encoding="utf-8")


def _write_sounds(folder: Path, made: Sequence[PreparedClip]) -> None:
    folder.mkdir()
    for one in made:
        (folder / f"{one.clip.id}.flac").write_bytes(one.flac)


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
