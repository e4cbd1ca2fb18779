"""Durations of the tokens of every clip: searched, kept through a run, stored with a voice, and as Praat TextGrids."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from voxgrad.acoustic_model import AcousticModel
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Advance, uncounted
from voxgrad.model import mas
from voxgrad.model.gradtts import GradTTS
from voxgrad.text.ipa import BLANKS, IPA_IDS, labels_of
from voxgrad.text.symbols import PHONE_IDS
from voxgrad.textgrid import Interval, read_tiers, text_grid, without_gaps
from voxgrad.training.dataset import Alignment, Clip, Corpus, collate

ALIGNMENTS, PHONES = "alignments.jsonl", "phones.json"
_ALIGNED_TOGETHER = 16


class Durations(nn.Module):
    """The durations of all clips as a run stands.

    They depend on what the model was at the last search, so a checkpoint must carry them: hence a module, though
    nothing in it learns.
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

    ``known`` durations are taken, not searched. A speaker's ``offsets``, (n_feats,), are taken off the mels before the
    search. ``advance`` is told of frames that are done. The model is left in evaluation mode.
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
            hidden = None if model.frame_prior is None else prior.hidden[row, :, :tokens].float().cpu().clone()
            means = prior.mu_x[row, :, :tokens].cpu().clone()
            found[clip.id] = Alignment(means, durations[row, :tokens].clone(), hidden)
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


def align_with(acoustic: AcousticModel, corpus: Corpus, device: torch.device) -> dict[str, Alignment]:
    """Aligns a corpus; speakers that the voice or base does not know are taken for its own voice."""
    known, speakers = acoustic.spec.speakers, corpus.speakers
    rows = {speaker: known.get(speaker, acoustic.row) for speaker in speakers}
    search = align_corpus if set(speakers) <= set(known) else align_unknown_speakers
    return search(acoustic.model.to(device), corpus, rows, device)


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

    >>> labels([BLANKS[0], PHONE_IDS["AH0"], BLANKS[0], 11, 6])
    ['', 'AH0', '', '', ',']
    """
    return [label.strip().strip("_") for label in labels_of(list(tokens))]


SUFFIX = ".TextGrid"
_WORDS, _PHONES = "words", "phones"
_ALIGN = "Write TextGrids with `voxgrad align`, move boundaries in Praat, and save them as text files."
_PHONE_TOKENS = frozenset((*PHONE_IDS.values(), *IPA_IDS.values()))


SpokenWord = tuple[str, int, int]
"""A word, its first token and the one after its last."""


def clip_grid(clip: Clip, durations: Sequence[int], words: Sequence[SpokenWord], seconds_per_frame: float) -> str:
    """An aligned clip, with its words in order, as a TextGrid in Praat's long text format."""
    # The samples after the last whole frame belong to the last token.
    seconds = max(clip.seconds, clip.frames * seconds_per_frame)
    border = [round(frame * seconds_per_frame, 6) for frame in accumulate(durations, initial=0)]
    border[-1] = seconds
    phones = [
        Interval(start, stop, label) for (start, stop), label in zip(pairwise(border), labels(clip.tokens), strict=True)
    ]
    spoken = [Interval(border[start], border[stop], word) for word, start, stop in words]
    return text_grid({_WORDS: without_gaps(spoken, seconds), _PHONES: phones}, seconds)


def word_spans(tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Where words begin and end in the ``voxgrad`` front end's tokens: phones in a row, blanks between them.

    Unlike reading the text again, this holds for clips that an earlier version pronounced otherwise.

    >>> word_spans([148, PHONE_IDS["AH0"], 148, PHONE_IDS["N"], 148, 10, 148, PHONE_IDS["AY1"], 148])
    [(1, 4), (7, 8)]
    """
    spans: list[tuple[int, int]] = []
    inside = False
    for index, token in enumerate(tokens):
        if token in _PHONE_TOKENS:
            start = spans.pop()[0] if inside else index
            spans.append((start, index + 1))
        inside = token in _PHONE_TOKENS or (inside and token in BLANKS)
    return spans


def read_tier(path: Path, name: str) -> list[Interval]:
    """The intervals of one tier of a TextGrid.

    Raises:
        BadInputError: no such file or tier.
    """
    if not path.is_file():
        raise BadInputError(f"there is no TextGrid {path}", _ALIGN)
    tiers = dict(read_tiers(path))
    if name not in tiers:
        raise BadInputError(f"{path} has no tier {name}", _ALIGN)
    return tiers[name]


def read_durations(folder: Path, clips: Iterable[Clip], seconds_per_frame: float) -> dict[str, Tensor]:
    """The durations of all clips from ``folder/<clip>.TextGrid``: (tokens,) int64 frames, by clip id.

    Borders are rounded to frames; no token gets less than one, and all together get the clip's.

    Raises:
        BadInputError: a grid is missing, or is not of its clip; the file, and what differs, are named.
    """
    return {clip.id: _durations(folder / f"{clip.id}{SUFFIX}", clip, seconds_per_frame) for clip in clips}


def grids_digest(folder: Path) -> str:
    """Twelve hex digits that two folders share exactly when their grids are the same.

    Raises:
        BadInputError: there are no grids.
    """
    whole = hashlib.sha256()
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        raise BadInputError(f"the folder {folder} contains no TextGrids", _ALIGN)
    for path in files:
        whole.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:12]


def _durations(path: Path, clip: Clip, seconds_per_frame: float) -> Tensor:
    intervals = read_tier(path, _PHONES)
    expected = labels(clip.tokens)
    found = [interval.label.strip() for interval in intervals]
    if found != expected:
        raise BadInputError(f"{path} does not match clip {clip.id}: {_difference(found, expected)}", _ALIGN)
    borders = [interval.stop for interval in intervals]
    edges = [0.0, *borders]
    for interval, edge in zip(intervals, edges, strict=False):
        if not (abs(interval.start - edge) < 1e-3 and interval.stop > interval.start):
            raise BadInputError(f"the phones of {path} are not contiguous at {edge:.3f} s", _ALIGN)
    seconds = clip.frames * seconds_per_frame
    if abs(borders[-1] - seconds) > 2 * seconds_per_frame:
        raise BadInputError(
            f"{path} ends at {borders[-1]:.3f} s, but clip {clip.id} ends at {max(clip.seconds, seconds):.3f} s", _ALIGN
        )
    return whole_frames([border / seconds_per_frame for border in borders[:-1]], clip.frames)


def whole_frames(borders: Sequence[float], frames: int) -> Tensor:
    """Durations of at least one frame each between rising borders that may lie anywhere, ``frames`` together.

    >>> whole_frames([0.2, 4.6, 4.7], 6).tolist()
    [1, 3, 1, 1]
    """
    stops, count = [0], len(borders) + 1
    for index, border in enumerate(borders):
        # Room is left for a frame of every token before and after.
        stops.append(min(max(round(border), stops[-1] + 1), frames - (count - 1 - index)))
    return torch.tensor([*stops, frames]).diff()


def _difference(found: Sequence[str], expected: Sequence[str]) -> str:
    for index, (phone, other) in enumerate(zip(found, expected, strict=False), 1):
        if phone != other:
            return f"its phone {index} is {_shown(phone)}, but that of the clip is {_shown(other)}"
    return f"it has {len(found)} phones, but the clip has {len(expected)}"


def _shown(label: str) -> str:
    return f"{label!r}" if label else "empty"
