"""Praat TextGrids of clips: a tier of words, and a tier of phones with one interval for every token.

Blanks and spaces are tokens too, and have intervals without a label. So a grid keeps an alignment whole, and one
whose borders a person has moved in Praat can be trained from.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import torch
from torch import Tensor

from voxgrad.errors import BadInputError
from voxgrad.text.symbols import BLANK, PHONE_IDS
from voxgrad.textgrid import Interval, read_tiers, text_grid
from voxgrad.training.alignment import labels
from voxgrad.training.dataset import Clip

SUFFIX = ".TextGrid"
_WORDS, _PHONES = "words", "phones"
_ALIGN = "Write TextGrids with `voxgrad align`, move boundaries in Praat, and save them as text files."
_PHONE_TOKENS = frozenset(PHONE_IDS.values())


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word and its tokens, ``start`` to before ``stop``."""

    word: str
    start: int
    stop: int


def clip_grid(clip: Clip, durations: Sequence[int], words: Sequence[SpokenWord], seconds_per_frame: float) -> str:
    """An aligned clip as a TextGrid in Praat's long text format.

    Args:
        clip: what was aligned.
        durations: frames of every token.
        words: in order.
        seconds_per_frame: of the mel.
    """
    # The samples after the last whole frame belong to the last token.
    seconds = max(clip.seconds, clip.frames * seconds_per_frame)
    border = [round(frame * seconds_per_frame, 6) for frame in accumulate(durations, initial=0)]
    border[-1] = seconds
    phones = [
        Interval(start, stop, label) for (start, stop), label in zip(pairwise(border), labels(clip.tokens), strict=True)
    ]
    spoken, end = [], 0
    for word in words:
        if word.start > end:
            spoken.append(Interval(border[end], border[word.start], ""))
        spoken.append(Interval(border[word.start], border[word.stop], word.word))
        end = word.stop
    if end < len(durations):
        spoken.append(Interval(border[end], seconds, ""))
    return text_grid({_WORDS: spoken, _PHONES: phones}, seconds)


def word_spans(tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Where words begin and end in the ``voxgrad`` front end's tokens: phones in a row, blanks between them.

    Unlike reading the text again, this holds for clips that an earlier version pronounced otherwise.

    >>> word_spans([BLANK, PHONE_IDS["AH0"], BLANK, PHONE_IDS["N"], BLANK, 10, BLANK, PHONE_IDS["AY1"], BLANK])
    [(1, 4), (7, 8)]
    """
    spans: list[tuple[int, int]] = []
    inside = False
    for index, token in enumerate(tokens):
        if token in _PHONE_TOKENS:
            start = spans.pop()[0] if inside else index
            spans.append((start, index + 1))
        inside = token in _PHONE_TOKENS or (inside and token == BLANK)
    return spans


def read_tier(path: Path, name: str) -> list[Interval]:
    """The intervals of one tier of a TextGrid.

    Raises:
        BadInputError: no such file or tier.
    """
    if not path.is_file():
        raise BadInputError(f"there is not a TextGrid {path}", _ALIGN)
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


def digest(folder: Path) -> str:
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
    """Durations of at least one frame each between borders that may lie anywhere.

    Args:
        borders: between tokens, in frames, rising.
        frames: of all tokens together; not fewer than tokens.

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
            return f"its phone {index} is {_shown(phone)}, where the clip has {_shown(other)}"
    return f"it has {len(found)} phones, and the clip {len(expected)}"


def _shown(label: str) -> str:
    return f"{label!r}" if label else "empty"
