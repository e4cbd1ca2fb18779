"""How well a text fits a recording, by the alignment of a base; alignment of recordings of an hour."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.model import mas
from voxgrad.preparation.word_checks import Suspect
from voxgrad.store.artifact import Artifact, ArtifactLocation
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.tokens import Encoded, encode

_FEWEST_WORDS = 3


@dataclass(frozen=True, slots=True)
class WordScore:
    """One word: frames from ``start`` to ``stop``, and their mean log-likelihood."""

    word: str
    start: int
    stop: int
    likelihood: float


@dataclass(frozen=True, slots=True)
class TranscriptScore:
    """A text and a recording, aligned.

    Likelihoods are means over frames of log N(mel; mu, I) without its constant, the clip's mean difference from
    the base taken off first: so they need no other clip of the speaker, and are only comparable with each other.

    Attributes:
        likelihood: of the text.
        backwards: of the same words in reverse order, which is what a wrong text of that length would have.
        duration_deviation: mean distance of the phones' log-durations from those that the base predicts, with the
            difference in tempo taken off.
        words: in order.
        suspects: the likeliest wrong word of each kind; none where nothing listens for it.
    """

    likelihood: float
    backwards: float
    duration_deviation: float
    words: tuple[WordScore, ...]
    suspects: tuple[Suspect, ...] = ()

    @property
    def margin(self) -> float:
        """How much better the words are forwards."""
        return self.likelihood - self.backwards


@lru_cache(maxsize=2)
def loaded(slot: ArtifactLocation) -> AcousticModel:
    """The base that lies somewhere, loaded once in every process."""
    return load_acoustic_model(Artifact.load(slot))


@torch.inference_mode()
def score_transcript(base: AcousticModel, text: str, mel: Tensor, lexicon: Lexicon) -> TranscriptScore | None:
    """Aligns a text with a mel (n_feats, frames); None where the text has more tokens than there are frames.

    Raises:
        BadInputError: the base's front end cannot read the text.
    """
    encoded = encode(text, base.spec.text, lexicon)
    if len(encoded.tokens) > mel.shape[1]:
        return None
    mu, log_durations = means(base, encoded.tokens)
    durations, residual = _aligned(mu, mel)
    frames = -0.5 * residual.square().sum(0)
    deviation = torch.log(durations.float()) - log_durations
    return TranscriptScore(
        round(float(frames.mean()), 3),
        _backwards(encoded, mu, mel),
        round(float((deviation - deviation.mean()).abs().mean()), 3),
        _word_fits(encoded, durations, frames),
    )


def means(base: AcousticModel, tokens: Sequence[int]) -> tuple[Tensor, Tensor]:
    """What the base expects of tokens: means (n_feats, tokens), log-durations in frames (tokens,)."""
    prior = base.model.encode(torch.tensor([list(tokens)]), torch.tensor([len(tokens)]), torch.tensor([base.row]))
    return prior.mu_x[0], prior.logw[0]


def searched(mu: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
    """Durations (tokens,) of the best alignment, and what the means leave of the mel, (n_feats, frames)."""
    lengths = torch.tensor([mu.shape[1]]), torch.tensor([mel.shape[1]])
    durations = mas.search(mas.log_prior(mu[None], mel[None]), *lengths)[0]
    return durations, mel - mu.repeat_interleave(durations, 1)


def _aligned(mu: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
    """As `searched`; but a first search only tells how far this clip's bands lie from the base's.

    `voxgrad.training.alignment.align_unknown_speakers` does so for all clips of a speaker.
    """
    _, residual = searched(mu, mel)
    difference = residual.mean(1, keepdim=True)
    return searched(mu, mel - difference)


def _backwards(encoded: Encoded, mu: Tensor, mel: Tensor) -> float:
    """The likelihood of the words' means in reverse order; of fewer than three words, of the tokens'."""
    edges = [0, *(word.start for word in encoded.words[1:]), mu.shape[1]]
    parts = [mu[:, start:stop] for start, stop in pairwise(edges)]
    turned = torch.cat(parts[::-1], 1) if len(parts) >= _FEWEST_WORDS else mu.flip(1)
    _, residual = _aligned(turned, mel)
    return round(float(-0.5 * residual.square().sum(0).mean()), 3)


def _word_fits(encoded: Encoded, durations: Tensor, frames: Tensor) -> tuple[WordScore, ...]:
    border = [0, *durations.cumsum(0).tolist()]
    spans = [(word.word, border[word.start], border[word.stop]) for word in encoded.words]
    return tuple(
        WordScore(word, start, stop, round(float(frames[start:stop].mean()), 1))
        for word, start, stop in spans
        if stop > start
    )


_NEVER = np.float32(-1e30)

Floats = NDArray[np.float32]


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
