"""One long recording and its whole text: which words belong to which piece of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.audio.clean import Span
from voxgrad.errors import BadInputError
from voxgrad.model import mas
from voxgrad.preparation.alignment import means, searched
from voxgrad.text.ipa import BLANKS
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.symbols import CHARACTER_IDS, PUNCTUATION, SPACE
from voxgrad.text.tokens import encode

Floats = NDArray[np.float32]

_ENCODED_TOGETHER = 300  # tokens; the encoder's attention grows with their square
_BLOCK = 512
_REACH = 800
"""Tokens each way from where a frame's token is expected: with blanks, half a minute of speech."""
_FORBIDDEN = 1e6
_FADING = 3  # frames
_FLOOR = -6.0
"""Of log-mels that are compared. Silence lies far below it or not so far, as rooms and microphones have it: the squares
of that distance would weigh more than all speech, and draw the words around a comma to any pause."""
_ENDS = (".", "!", "?")
_MARKS = frozenset({*BLANKS, *(CHARACTER_IDS[mark] for mark in PUNCTUATION)})


@dataclass(frozen=True)
class _Script:
    """A text as the base expects it to sound.

    Attributes:
        chunks: the text between its spaces; what cannot be said clings to the chunk before.
        stops: the token after the last of every chunk.
        mu: (n_feats, tokens).
        frames: (tokens,) expected duration of every token.
        between: (tokens,) bool: spaces, blanks and marks, where a cut may lie.
    """

    chunks: list[str]
    stops: list[int]
    mu: Tensor
    frames: Tensor
    between: Tensor


@torch.inference_mode()
def match_script(base: AcousticModel, text: str, mel: Tensor, pauses: Sequence[Span], lexicon: Lexicon) -> list[str]:
    """Divides a text among the pieces of the recording that it was read in.

    The whole text is aligned with the whole recording by one Monotonic Alignment Search, in which a cut between
    two pieces can only lie between two words: so the words of all pieces are found together. The cuts that no mark
    in the text confirms are then settled piece by piece.

    Args:
        base: what aligns.
        text: everything that is said.
        mel: of the whole recording, (n_feats, frames).
        pauses: seconds in which nobody speaks, in order: where it is cut.
        lexicon: the user's pronunciations.

    Returns:
        A text for what lies before every pause and after the last, empty where none of the words belongs to it.

    Raises:
        BadInputError: the text is too long for the recording, or cannot be read.
    """
    script = _script(base, text, lexicon)
    tokens, frames = script.mu.shape[1], mel.shape[1]
    if tokens > frames:
        raise BadInputError("its text is too long for the recording", "Check that the text belongs to this recording.")
    cuts = _cut_frames(pauses, base.spec.mel.seconds_per_frame, frames)
    loud = mel.mean(0) > mel.mean(0).median() - 1.0
    weight = script.frames[None]
    difference = mel[:, loud].mean(1, keepdim=True) - (script.mu * weight).sum(1, keepdim=True) / weight.sum()
    for _ in range(2):
        lows = _lows(script.frames, loud, frames)
        path = search_band(_values(script, (mel - difference).clamp(min=_FLOOR), cuts, lows), tokens)
        difference = (mel - script.mu[:, torch.from_numpy(path)]).mean(1, keepdim=True)
    texts = _divided(script, path, cuts)
    return settled(base, texts, _sounding(pauses, mel, base.spec.mel.seconds_per_frame), lexicon)


def _sounding(pauses: Sequence[Span], mel: Tensor, seconds_per_frame: float) -> list[Tensor]:
    """The mel of every piece, without the pauses: (n_feats, frames) each."""
    inside = [int(time / seconds_per_frame) for pause in pauses for time in pause]
    borders = [0, *inside, mel.shape[1]]
    return [mel[:, start:stop] for start, stop in zip(borders[::2], borders[1::2], strict=True)]


def _script(base: AcousticModel, text: str, lexicon: Lexicon) -> _Script:
    chunks: list[str] = []
    said: list[list[int]] = []
    for chunk in text.split():
        try:
            tokens = list(encode(chunk, base.spec.text, lexicon).tokens)
        except BadInputError:
            if not chunks:
                continue
            chunks[-1] += f" {chunk}"
        else:
            chunks.append(chunk)
            said.append(tokens)
    if not chunks:
        raise BadInputError("its text has no words to speak", "Give at least one word.")
    joined = [[*tokens, SPACE] for tokens in said[:-1]] + [said[-1]]
    parts = [means(base, tokens) for tokens in _groups(chunks, joined)]
    return _Script(
        chunks,
        np.cumsum([len(tokens) for tokens in joined]).tolist(),
        torch.cat([mu for mu, _ in parts], 1).clamp(min=_FLOOR),
        torch.cat([log_durations.exp() for _, log_durations in parts]),
        torch.tensor([flag for tokens in joined for flag in _at_the_ends(tokens)]),
    )


def _at_the_ends(tokens: list[int]) -> list[bool]:
    """Which tokens of a chunk lie before its first phone or after its last.

    >>> _at_the_ends([BLANKS[0], 99, BLANKS[0], 98, BLANKS[0], SPACE])
    [True, False, False, False, True, True]
    """
    spoken = [index for index, token in enumerate(tokens) if token not in _MARKS]
    if not spoken:
        return [True] * len(tokens)
    return [not spoken[0] <= index <= spoken[-1] for index in range(len(tokens))]


def _groups(chunks: list[str], joined: list[list[int]]) -> Iterator[list[int]]:
    """The tokens of sentence after sentence, or of as much of one as is encoded together."""
    group: list[int] = []
    for chunk, tokens in zip(chunks, joined, strict=True):
        group += tokens
        if chunk.endswith(_ENDS) or len(group) > _ENCODED_TOGETHER:
            yield group
            group = []
    if group:
        yield group


def _cut_frames(pauses: Sequence[Span], seconds_per_frame: float, frames: int) -> list[slice]:
    """The frames of every pause, without those at its ends, where speech fades."""
    found = []
    for start, stop in pauses:
        middle = min(frames - 1, int((start + stop) / 2 / seconds_per_frame))
        first, last = int(start / seconds_per_frame) + _FADING, int(stop / seconds_per_frame) - _FADING
        found.append(slice(min(first, middle), max(last, middle + 1)))
    return found


def _lows(expected: Tensor, loud: Tensor, frames: int) -> list[int]:
    """The first token of the band in every block: speech and text are taken to pass evenly."""
    tokens = len(expected)
    width = min(tokens, 2 * _REACH)
    passed = loud.float().cumsum(0) / loud.sum()
    share = (expected.cumsum(0) / expected.sum()).contiguous()
    centres = torch.searchsorted(share, passed[_BLOCK // 2 :: _BLOCK].contiguous())
    lows = (centres - width // 2).clamp(0, tokens - width).tolist()
    blocks = -(-frames // _BLOCK)
    lows = [0, *lows[1:blocks], *([tokens - width] * (blocks - len(lows)))]
    lows[-1] = tokens - width
    for index in range(1, len(lows)):  # a band that overlaps with the one before
        lows[index] = max(lows[index - 1], min(lows[index], lows[index - 1] + width))
    return lows


def _values(script: _Script, mel: Tensor, cuts: list[slice], lows: list[int]) -> Iterator[tuple[int, Floats]]:
    """Log-likelihoods of the band, block by block.

    In a pause only what parts words is possible, and all of it equally: which of two spaces a base finds more
    silent says nothing about where a speaker stopped.
    """
    width = min(script.mu.shape[1], 2 * _REACH)
    paused = torch.zeros(mel.shape[1], dtype=torch.bool)
    for cut in cuts:
        paused[cut] = True
    for index, low in enumerate(lows):
        block = slice(index * _BLOCK, min((index + 1) * _BLOCK, mel.shape[1]))
        mu = script.mu[:, low : low + width]
        value = mas.log_prior(mu[None], mel[None, :, block])[0]
        parting = torch.where(script.between[low : low + width], 0.0, -_FORBIDDEN)
        yield low, torch.where(paused[block][:, None], parting[None], value).numpy()


def _divided(script: _Script, path: np.ndarray, cuts: list[slice]) -> list[str]:
    """The chunks of every piece: those that end before its cut."""
    stops = np.array(script.stops)
    tokens = [int(path[(cut.start + cut.stop) // 2]) for cut in cuts]
    chunks = [int(np.searchsorted(stops, token, side="right")) for token in tokens]
    counts = [_over(script, chunk, token) for chunk, token in zip(chunks, tokens, strict=True)]
    edges = [0, *counts, len(script.chunks)]
    return [" ".join(script.chunks[start:stop]) for start, stop in pairwise(edges)]


def _over(script: _Script, chunk: int, token: int) -> int:
    """How many chunks are over at a token that lies within ``chunk``, before its first phone or after its last."""
    start = script.stops[chunk - 1] if chunk else 0
    return chunk if script.between[start : token + 1].all() else chunk + 1


_WORDS = 3
"""That may move from one piece to the next."""
_END_MARKS = tuple(".!?;:,)\"'”’")
_IMPOSSIBLE = float("-inf")


def settled(base: AcousticModel, texts: Sequence[str], mels: Sequence[Tensor], lexicon: Lexicon) -> list[str]:
    """Moves words between neighbouring pieces, where both are then more likely.

    In a whole text, a base expects no pause within a sentence; here every piece is read as it was said, with its
    own beginning and end. ``mels`` are those of the pieces, (n_feats, frames) each.
    """
    found = list(texts)
    known = [_residual(base, text, mel, lexicon) for text, mel in zip(found, mels, strict=True) if text]
    residuals = [residual for residual in known if residual is not None]
    if not residuals:
        return found
    difference = torch.cat(residuals, 1).mean(1, keepdim=True)
    shifted = [mel - difference for mel in mels]
    for index in range(len(found) - 1):
        if found[index] and found[index + 1] and not found[index].endswith(_END_MARKS):
            pair = found[index].split(), found[index + 1].split()
            found[index : index + 2] = _best(base, *pair, shifted[index : index + 2], lexicon)
    return found


def _best(
    base: AcousticModel, left: list[str], right: list[str], mels: Sequence[Tensor], lexicon: Lexicon
) -> tuple[str, str]:
    words = left + right
    ends = range(max(1, len(left) - _WORDS), min(len(words) - 1, len(left) + _WORDS) + 1)
    candidates = [(" ".join(words[:end]), " ".join(words[end:])) for end in ends]
    return max(
        candidates,
        key=lambda pair: sum(_likelihood(base, text, mel, lexicon) for text, mel in zip(pair, mels, strict=True)),
    )


def _likelihood(base: AcousticModel, text: str, mel: Tensor, lexicon: Lexicon) -> float:
    """Of all frames together, without its constant."""
    residual = _residual(base, text, mel, lexicon)
    return _IMPOSSIBLE if residual is None else float(-0.5 * residual.square().sum())


def _residual(base: AcousticModel, text: str, mel: Tensor, lexicon: Lexicon) -> Tensor | None:
    """(n_feats, frames); None where the text cannot be all that is said."""
    try:
        tokens = encode(text, base.spec.text, lexicon).tokens
    except BadInputError:
        return None
    if len(tokens) > mel.shape[1]:
        return None
    return searched(means(base, tokens)[0].clamp(min=_FLOOR), mel.clamp(min=_FLOOR))[1]


_NEVER = np.float32(-1e30)


def search_band(blocks: Iterable[tuple[int, Floats]], tokens: int) -> NDArray[np.int64]:
    """Finds the most likely monotonic alignment that keeps to a band.

    The recurrence is that of `voxgrad.model.mas.search`; a block of frames sees only the tokens of its
    own part of the band, so that memory grows with the recording's length and not with its square.

    Args:
        blocks: first token, and log-likelihoods (frames, width) of the tokens from there on, one after another. The
            first token never falls and never rises beyond the end of the band before; all have one width, or all
            tokens where these are fewer.
        tokens: of the text.

    Returns:
        (all frames,) the token of every frame: 0 at first, tokens - 1 at last, never falling, none left out.
    """
    lows: list[int] = []
    decisions: list[NDArray[np.uint8]] = []
    last = np.full(0, _NEVER, np.float32)
    for low, value in blocks:
        width = value.shape[1]
        moved = np.zeros(value.shape, np.uint8)
        if not lows:
            last, before = np.full(width, _NEVER, np.float32), np.float32(0)  # from where every path begins
        else:
            shift = low - lows[-1]
            before = last[shift - 1] if shift > 0 else _NEVER
            last = np.concatenate([last[shift:], np.full(shift, _NEVER, np.float32)])[:width]
        _advance_block(last, before, np.ascontiguousarray(value), moved)
        lows.append(low)
        decisions.append(moved)
    return np.concatenate(list(_traced(lows, decisions, tokens))[::-1])


def _traced(lows: list[int], decisions: list[NDArray[np.uint8]], tokens: int) -> Iterator[NDArray[np.int64]]:
    """The tokens of the blocks' frames, the last block first."""
    token = tokens - 1
    for low, moved in zip(reversed(lows), reversed(decisions), strict=True):
        path = np.empty(len(moved), np.int64)
        token = _trace_block(moved, low, token, path)
        yield path


@numba.njit(cache=True, nogil=True)
def _advance_block(last: Floats, before: np.float32, value: Floats, moved: NDArray[np.uint8]) -> None:
    """``last`` becomes the best score of every token at the block's last frame; ``before``: of the token left of it."""
    width = value.shape[1]
    for frame in range(value.shape[0]):
        left = before if frame == 0 else _NEVER
        for token in range(width):
            stay = last[token]
            comes = left > stay
            moved[frame, token] = comes
            last[token] = (left if comes else stay) + value[frame, token]
            left = stay


@numba.njit(cache=True, nogil=True)
def _trace_block(moved: NDArray[np.uint8], low: int, token: int, path: NDArray[np.int64]) -> int:
    """Writes the block's path from its last frame on, and returns the token that the frame before it has."""
    for frame in range(moved.shape[0] - 1, -1, -1):
        token = max(token, low)
        path[frame] = token
        if token - low < moved.shape[1] and moved[frame, token - low]:
            token -= 1
    return token
