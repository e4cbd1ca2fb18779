"""Durations of the tokens of every clip: searched, kept through a run, and stored with a voice."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from voxgrad.errors import IntegrityError
from voxgrad.events import Advance, uncounted
from voxgrad.model import mas
from voxgrad.model.gradtts import GradTTS
from voxgrad.text.symbols import BLANK, SYMBOLS
from voxgrad.training.dataset import Alignment, Clip, Corpus, collate

ALIGNMENTS, PHONES = "alignments.jsonl", "phones.json"
_ALIGNED_TOGETHER = 16


class Durations(nn.Module):
    """The durations of all clips as a run stands.

    They depend on what the model was at the last search, so a checkpoint must carry them: hence a module, though
    nothing in it learns.

    Args:
        clips: everything that may be aligned.
    """

    frames: Tensor
    """(tokens of all clips,) int32; zero where a clip has not been aligned yet."""
    stage: Tensor
    """() the stage that they were last made ready for."""
    settled: Tensor
    """() bool: no further search is needed in this stage."""

    def __init__(self, clips: Iterable[Clip]) -> None:
        super().__init__()
        self._places: dict[str, slice] = {}
        total = 0
        for clip in clips:
            self._places[clip.id] = slice(total, total + len(clip.tokens))
            total += len(clip.tokens)
        self.register_buffer("frames", torch.zeros(total, dtype=torch.int32))
        self.register_buffer("stage", torch.tensor(-1))
        self.register_buffer("settled", torch.tensor(False))  # noqa: FBT003 - torch's own signature

    def of(self, clip: Clip) -> Tensor:
        """The durations of a clip: (tokens,) int64."""
        return self.frames[self._places[clip.id]].long()

    def stacked(self, clips: Sequence[Clip]) -> Tensor:
        """The durations of a batch, padded with zeros: (batch, tokens) int64."""
        return nn.utils.rnn.pad_sequence([self.of(clip) for clip in clips], batch_first=True)

    def begin(self, stage: int) -> None:
        """Says that the durations are ready for a stage."""
        self.stage.fill_(stage)
        self.settled.fill_(value=False)

    def update(self, found: Mapping[str, Tensor]) -> float | None:
        """Takes over new durations, by clip id.

        Returns:
            The share of frames that belong to another token than before; None where nothing was known before.
        """
        moved = known = 0
        for clip, durations in found.items():
            before = self.frames[self._places[clip]].long()
            if before.any():
                moved += moved_frames(before, durations)
                known += int(before.sum())
            self.frames[self._places[clip]] = durations.to(torch.int32)
        return moved / known if known else None


def moved_frames(before: Tensor, after: Tensor) -> int:
    """How many frames belong to another token.

    >>> moved_frames(torch.tensor([2, 1, 1]), torch.tensor([1, 2, 1]))
    1
    """
    token = torch.arange(len(before))
    return int((token.repeat_interleave(before) != token.repeat_interleave(after)).sum())


@torch.no_grad()
def align_corpus(
    model: GradTTS,
    corpus: Corpus,
    speaker_rows: Mapping[str, int],
    device: torch.device,
    *,
    known: Durations | None = None,
    offsets: Mapping[str, Tensor] | None = None,
    advance: Advance = uncounted,
) -> dict[str, Alignment]:
    """The means and durations of every clip with the model as it is: by clip id, on the CPU.

    Args:
        model: left in evaluation mode.
        corpus: what is aligned.
        speaker_rows: speaker → row of the embedding.
        device: where the model is.
        known: durations that are taken, not searched.
        offsets: speaker → (n_feats,), taken off the mels before the search.
        advance: told of frames that are done.
    """
    model.eval()
    found = {}
    clips = sorted(corpus.clips, key=lambda clip: clip.frames)
    for start in range(0, len(clips), _ALIGNED_TOGETHER):
        some = clips[start : start + _ALIGNED_TOGETHER]
        batch = collate(corpus, some, speaker_rows).to(device)
        prior = model.encode(batch.tokens, batch.token_lengths, batch.speakers)
        if known is not None:
            durations = known.stacked(some)
        else:
            y = batch.y
            if offsets is not None:
                y = y - torch.stack([offsets[clip.speaker] for clip in some])[:, :, None].to(device)
            durations = model.align(prior, y, batch.frame_lengths).cpu()
        for row, clip in enumerate(some):
            tokens = len(clip.tokens)
            found[clip.id] = Alignment(
                prior.mu_x[row, :, :tokens].cpu().clone(),
                durations[row, :tokens].clone(),
                None if model.frame_prior is None else prior.hidden[row, :, :tokens].float().cpu().clone(),
            )
        advance(sum(clip.frames for clip in some))
    return found


def align_unknown_speakers(
    model: GradTTS, corpus: Corpus, speaker_rows: Mapping[str, int], device: torch.device, advance: Advance = uncounted
) -> dict[str, Alignment]:
    """Aligns speakers that the model does not know yet; passes over all frames twice.

    A search tells how far a speaker's bands lie from the model's means on average; a second one, without that
    difference, follows the sounds rather than the speaker and the microphone.
    """
    found = align_corpus(model, corpus, speaker_rows, device, advance=advance)
    total: dict[str, Tensor] = {}
    frames = Counter[str]()
    for clip in corpus.clips:
        difference = (corpus.mel(clip) - expanded(found[clip.id])).sum(1)
        total[clip.speaker] = total.get(clip.speaker, torch.zeros(())) + difference
        frames[clip.speaker] += clip.frames
    offsets = {speaker: total[speaker] / frames[speaker] for speaker in total}
    return align_corpus(model, corpus, speaker_rows, device, offsets=offsets, advance=advance)


def expanded(alignment: Alignment) -> Tensor:
    """The mean of every frame: (n_feats, frames)."""
    return alignment.mu_x.repeat_interleave(alignment.durations, 1)


@dataclass(frozen=True, slots=True)
class StoredAlignment:
    """What a voice keeps of one clip."""

    durations: tuple[int, ...]
    """Frames of every token."""
    log_likelihood: float
    """Per frame, of the mel under N(mu, I)."""


def summarised(corpus: Corpus, alignments: Mapping[str, Alignment]) -> dict[str, StoredAlignment]:
    """What is kept of alignments, by clip id."""
    return {
        clip.id: StoredAlignment(
            tuple(alignments[clip.id].durations.tolist()),
            round(mas.log_likelihood(expanded(alignments[clip.id]), corpus.mel(clip)), 3),
        )
        for clip in corpus.clips
    }


def write_alignments(directory: Path, corpus: Corpus, stored: Mapping[str, StoredAlignment]) -> float:
    """Writes every clip's durations and every phone's mean duration into an artifact.

    Returns:
        The log-likelihood of a frame, mean over the clips.
    """
    with (directory / ALIGNMENTS).open("w", encoding="utf-8") as file:
        for clip in corpus.clips:
            alignment = stored[clip.id]
            row = {"id": clip.id, "log_likelihood": alignment.log_likelihood, "durations": alignment.durations}
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    frames, count = Counter[str](), Counter[str]()
    for clip in corpus.clips:
        for label, duration in zip(labels(clip.tokens), stored[clip.id].durations, strict=True):
            frames[label] += duration
            count[label] += 1
    phones = {
        label: {"count": count[label], "mean_frames": round(frames[label] / count[label], 2)}
        for label in sorted(count)
        if label
    }
    (directory / PHONES).write_text(json.dumps(phones, indent=1) + "\n", encoding="utf-8")
    return round(sum(stored[clip.id].log_likelihood for clip in corpus.clips) / len(corpus.clips), 3)


def read_alignments(path: Path) -> dict[str, StoredAlignment]:
    """Reads what :func:`write_alignments` wrote, by clip id.

    Raises:
        IntegrityError: it does not parse.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {row["id"]: StoredAlignment(tuple(row["durations"]), float(row["log_likelihood"])) for row in rows}
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"{path.name} cannot be read as alignments", "Fine-tune the voice again.") from error


def labels(tokens: Iterable[int]) -> list[str]:
    """The phone, mark or letter of every token; empty for blanks and spaces.

    >>> labels([BLANK, SYMBOLS.index("@AH0"), BLANK, SYMBOLS.index(" "), SYMBOLS.index(",")])
    ['', 'AH0', '', '', ',']
    """
    return ["" if token == BLANK else SYMBOLS[token].removeprefix("@").strip() for token in tokens]
