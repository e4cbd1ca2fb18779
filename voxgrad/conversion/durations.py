"""Durations of a text in a recording of a speaker whom the model does not know.

Monotonic Alignment Search (Kim et al., 2020) may give a token any length, and in a strange voice gives many one frame
and their blanks the rest. Nothing that is spoken by such durations can be understood. Here the search is that of a
hidden semi-Markov model (Levinson, 1986): a length costs what the voice's own duration predictor makes of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.errors import BadInputError
from voxgrad.model.mas import log_prior
from voxgrad.preparation.alignment import FEWEST_WORDS, means
from voxgrad.text.symbols import Encoded

_LONGEST: Final = 300
"""Frames of a token, 3.5 s."""
_DEVIATION: Final = 0.5
"""Of a token's log-duration around the predicted one."""
_WEIGHT: Final = 100.0
"""Of the durations against the mel. The log-likelihood of a frame sums 80 bands as if they knew nothing of each other,
so that a weight of 1 would never be noticed; docs/research/conversion.md has what was measured."""
LEAST_MARGIN: Final = 4.5
"""Nats a frame by which a text must explain a recording better than its words backwards."""
FASTEST, SLOWEST = 0.6, 3.0
"""Times as long as the voice would take for the words."""
_ROUNDS: Final = (0.0, 0.0, _WEIGHT, _WEIGHT)
_NEVER: Final = -1e30

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AlignedPiece:
    """A text and a piece of a recording."""

    durations: Tensor
    """(tokens,) frames."""
    margin: float
    """Nats a frame by which the text explains the piece better than its words backwards do, which is what a wrong text
    of that length would do."""
    tempo: float
    """Frames of the words over those that the voice would take for them."""


@dataclass(frozen=True, eq=False)
class _Expected:
    """What a voice makes of a text: means (n_feats, tokens), log-durations (tokens,), and which tokens are in words."""

    mu: Tensor
    lengths: Tensor
    inside: NDArray[np.bool_]

    @property
    def usual(self) -> float:
        """Frames that the voice would take for the words."""
        return float(self.lengths[self.inside].exp().sum())

    def spent(self, durations: Tensor) -> float:
        """Frames of (tokens,) durations that belong to words."""
        return float(durations[self.inside].sum())

    def ordered(self, tokens: Tensor) -> "_Expected":
        """The same tokens in another order."""
        return _Expected(self.mu[:, tokens], self.lengths[tokens], self.inside[tokens.numpy()])


@torch.inference_mode()
def aligned(acoustic: AcousticModel, said: Sequence[Encoded], mels: Sequence[Tensor]) -> list[AlignedPiece]:
    """Align the pieces of a recording, (n_feats, frames) each, at least one frame for each token of its text."""
    expected = [_Expected(*means(acoustic, encoded.tokens), _inside_words(encoded)) for encoded in said]
    turned = [part.ordered(_backwards(text)) for part, text in zip(expected, said, strict=True)]
    right, wrong = (_searched(parts, mels) for parts in (expected, turned))
    return [
        AlignedPiece(durations, likelihood - other, part.spent(durations) / max(part.usual, 1.0))
        for (durations, likelihood), (_, other), part in zip(right, wrong, expected, strict=True)
    ]


def _searched(expected: Sequence[_Expected], mels: Sequence[Tensor]) -> list[tuple[Tensor, float]]:
    """Durations and log-likelihood of a frame, without its constant, of every piece.

    Every search tells how far the speaker's bands lie from the model's, and how fast they speak, which the next takes
    off; the first two do not look at durations.
    """
    usual = sum(part.usual for part in expected)
    offset, tempo = torch.zeros(mels[0].shape[0], 1), 0.0
    found: list[Tensor] = []
    residuals: list[Tensor] = []
    for weight in _ROUNDS:
        found, residuals = [], []
        for part, mel in zip(expected, mels, strict=True):
            value = log_prior(part.mu[None], (mel - offset)[None])[0].T.double().contiguous().numpy()
            cost = _cost(part.lengths.double().numpy() + tempo, part.inside, weight, mel.shape[1])
            durations = torch.from_numpy(_search(value, cost))
            found.append(durations)
            residuals.append(mel - part.mu.repeat_interleave(durations, 1))
        offset = torch.cat(residuals, 1).mean(1, keepdim=True)
        frames = sum(part.spent(durations) for durations, part in zip(found, expected, strict=True))
        tempo = float(np.log(max(frames, 1.0) / max(usual, 1.0)))
    likelihoods = [-0.5 * float((residual - offset).square().sum(0).mean()) for residual in residuals]
    return list(zip(found, likelihoods, strict=True))


def _backwards(said: Encoded) -> Tensor:
    """The tokens with the words in reverse order; of fewer than three words, the tokens in reverse."""
    tokens = torch.arange(len(said.tokens))
    if len(said.words) < FEWEST_WORDS:
        return tokens.flip(0)
    edges = [0, *(word.start for word in said.words[1:]), len(tokens)]
    return torch.cat([tokens[start:stop] for start, stop in pairwise(edges)][::-1])


def _inside_words(said: Encoded) -> NDArray[np.bool_]:
    """Which tokens belong to a word; between words a pause may last as long as it likes."""
    inside = np.zeros(len(said.tokens), bool)
    for word in said.words:
        inside[word.start : word.stop] = True
    return inside


def _cost(expected: Floats, inside: NDArray[np.bool_], weight: float, frames: int) -> Floats:
    """Logarithm of what every length of a token is worth: (tokens, longest)."""
    lengths = np.log(np.arange(1, min(_LONGEST, frames) + 1))
    cost = -0.5 * weight * np.square((lengths[None] - expected[:, None]) / _DEVIATION)
    return np.where(inside[:, None], cost, 0.0)


@numba.njit(cache=True, nogil=True)
def _search(value: Floats, cost: Floats) -> NDArray[np.int64]:
    """The likeliest durations, none of them 0: (tokens,); costs (tokens, longest) are of lengths from 1 on."""
    tokens, frames = value.shape
    best = np.full(frames + 1, _NEVER)
    best[0] = 0.0
    chosen = np.zeros((tokens, frames + 1), np.int32)
    for token in range(tokens):
        total = np.zeros(frames + 1)
        for frame in range(frames):
            total[frame + 1] = total[frame] + value[token, frame]
        after = np.full(frames + 1, _NEVER)
        for stop in range(token + 1, frames + 1):
            for length in range(1, min(cost.shape[1], stop - token) + 1):
                score = best[stop - length] - total[stop - length] + cost[token, length - 1]
                if score + total[stop] > after[stop]:
                    after[stop] = score + total[stop]
                    chosen[token, stop] = length
        best = after
    durations = np.zeros(tokens, np.int64)
    stop = frames
    for token in range(tokens - 1, -1, -1):
        durations[token] = chosen[token, stop]
        stop -= durations[token]
    return durations


def require_fit(margin: float, tempo: float, text: str, name: str) -> None:
    """Check that a text fits a recording; for margin and tempo, see `AlignedPiece`.

    Raises:
        BadInputError: it fits hardly better than its words in reverse order, or is too fast or slow for speech.
    """
    if not FASTEST <= tempo <= SLOWEST:
        raise BadInputError(
            f"the text {text[:40]!r} does not fit {name}: it is said {1 / tempo:.2g} times as fast as the voice would",
            "Write exactly what is said in the recording.",
        )
    if margin < LEAST_MARGIN:
        raise BadInputError(
            f"the text {text[:40]!r} does not fit {name}: it explains the recording only {margin:.0f} better than the "
            f"same words in reverse order, but must be at least {LEAST_MARGIN:g} better",
            "Write exactly what is said in the recording.",
        )
