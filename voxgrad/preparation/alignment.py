"""Scores of how well a text fits a recording: by alignment with a base, and word by word by a phone classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.model import mas
from voxgrad.settings import MelSpec, TextSpec
from voxgrad.store.artifact import Artifact, ArtifactLocation
from voxgrad.text.dictionary import CONSONANTS, VOWELS
from voxgrad.text.ipa import NEAREST
from voxgrad.text.lexicon import Lexicon
from voxgrad.text.symbols import ENGLISH, Encoded
from voxgrad.text.tokens import encode

CLASSES: Final = ("", *VOWELS, *CONSONANTS)
"""Silence, and the 39 phones without stress."""
WEIGHTS = "phone_classifier.safetensors"
STRIDE = 2
_CHANNELS = 144
_DILATIONS = (1, 2, 3)
_LOUD = 5.0  # nepers below the loudest frame
_PRIOR = 0.7
_LOWEST = -8.0


class PhoneClassifier(nn.Module):
    """Convolutions: normalised log-mel (batch, 80, frames) → logits (batch, 40, frames / 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.inp = nn.Conv1d(MelSpec().n_mels, _CHANNELS, 5, stride=STRIDE, padding=2)
        self.convs = nn.ModuleList(
            nn.Conv1d(_CHANNELS, _CHANNELS, 5, padding=2 * dilation, dilation=dilation) for dilation in _DILATIONS
        )
        self.norms = nn.ModuleList(nn.GroupNorm(1, _CHANNELS) for _ in _DILATIONS)
        self.out = nn.Conv1d(_CHANNELS, len(CLASSES), 1)
        self.log_prior = nn.Buffer(torch.zeros(len(CLASSES)))

    def forward(self, mel: Tensor) -> Tensor:
        """See the class."""
        hidden = F.relu(self.inp(mel))
        for convolution, norm in zip(self.convs, self.norms, strict=True):
            hidden = hidden + F.relu(convolution(norm(hidden)))
        return self.out(hidden)


def normalised(mel: Tensor) -> Tensor:
    """Takes the mean and the spread of the loud frames' bands off, and with them room, microphone and voice."""
    loud = mel.mean(0) > mel.mean(0).max() - _LOUD
    spread = mel[:, loud].std(1, keepdim=True, correction=0).clamp(min=0.5)
    return (mel - mel[:, loud].mean(1, keepdim=True)) / spread


@lru_cache(maxsize=1)
def _classifier() -> PhoneClassifier:
    model = PhoneClassifier()
    weights = load_file(Path(__file__).with_name(WEIGHTS))
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.eval()


@torch.inference_mode()
def phone_likelihoods(mel: Tensor) -> NDArray[np.float64]:
    """Log-likelihoods of the phones but for a constant of every frame: (frames / 2, 40) in nats, of `CLASSES`.

    They are log-posteriors less 0.7 of the log-priors, -8 where lower. ``mel`` is a log-mel of the default
    `voxgrad.settings.MelSpec`, (80, frames).
    """
    model = _classifier()
    posteriors = torch.log_softmax(model(normalised(mel)[None])[0].T, 1)
    return (posteriors - _PRIOR * model.log_prior).clamp(min=_LOWEST).double().numpy()


Kind = Literal["replaced", "added", "missing"]
_FREE = 1.0
"""Nats a frame that any phone costs, where none is asked for."""
_SHORTEST_WORD = 4  # frames of the classifier, 93 ms
_IMPOSSIBLE = -1e9

_Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Suspect:
    """The word of a clip that is the likeliest to be wrong in one way.

    Attributes:
        kind: ``replaced``: another is said; ``added``: it is not said; ``missing``: one is said after it that the text
            lacks.
        word: as the text has it; empty: before the first.
        gain: nats by which the recording is more likely so.
    """

    kind: Kind
    word: str
    gain: float


def suspects(text: str, mel: Tensor, lexicon: Lexicon, language: str = ENGLISH) -> tuple[Suspect, ...]:
    """The likeliest wrong word of each kind; none where the text has more phones than the classifier has frames.

    ``mel`` is a log-mel of the default settings, (80, frames), in which ``text`` should be said.
    """
    aligned = _aligned_phones(text, mel, lexicon, language)
    if aligned is None:
        return ()
    likelihoods, _, words, before, after, whole = aligned
    any_phone = np.concatenate([[0.0], np.cumsum(likelihoods.max(1) - _FREE)])
    any_sound = np.concatenate([[0.0], np.cumsum(likelihoods[:, 1:].max(1) - _FREE)])
    names = [word for word, _, _ in words]
    entries = [_ends(before, start) for _, start, _ in words]
    exits = [_begins(after, stop) for _, _, stop in words]
    pairs = list(zip(entries, exits, strict=True))
    replaced = [_through(entry, leave, any_phone, 0) for entry, leave in pairs]
    added = [float((entry + leave).max()) for entry, leave in pairs]
    silences = [0, *(stop for _, _, stop in words)]
    missing = [_through(_ends(before, at + 1), _begins(after, at), any_sound, _SHORTEST_WORD) for at in silences]
    return (
        _worst("replaced", names, replaced, whole),
        _worst("added", names, added, whole),
        _worst("missing", ["", *names], missing, whole),
    )


class _AlignedPhones(NamedTuple):
    """See `phone_likelihoods`, `_graph` and `_passes`; ``whole`` is the score of the best path through all phones."""

    likelihoods: _Doubles
    phones: NDArray[np.int64]
    words: list[tuple[str, int, int]]
    before: _Doubles
    after: _Doubles
    whole: float


def _aligned_phones(text: str, mel: Tensor, lexicon: Lexicon, language: str) -> _AlignedPhones | None:
    """None where the text has no phones, or more than the classifier has frames."""
    phones, words = _graph(text, lexicon, language)
    likelihoods = phone_likelihoods(mel)
    spoken = int((phones > 0).sum())
    if not spoken or spoken + 1 > len(likelihoods):
        return None
    before, after = _passes(likelihoods[:, phones], phones == 0)
    return _AlignedPhones(likelihoods, phones, words, before, after, float(before[-1, -2:].max()))


def _worst(kind: Kind, names: Sequence[str], scores: Sequence[float], whole: float) -> Suspect:
    index = int(np.argmax(scores))
    return Suspect(kind, names[index], round(float(scores[index] - whole), 2))


def _graph(text: str, lexicon: Lexicon, language: str) -> tuple[NDArray[np.int64], list[tuple[str, int, int]]]:
    """Phones in a row, as (states,) indices of `CLASSES`, and the words with their first states and those after them.

    Before and after every word is a silence, which may be left out. Phones of other languages are taken for the nearest
    of English.
    """
    encoded = encode(text, TextSpec(language=language, add_blank=False), lexicon)
    phones, words = [0], []
    for word in encoded.words:
        labels = [NEAREST.get(label, label).rstrip("012") for label in encoded.phones[word.start : word.stop]]
        states = [CLASSES.index(label) for label in labels if label in CLASSES[1:]]
        words.append((word.word, len(phones), len(phones) + len(states)))
        phones += [*states, 0]
    return np.array(phones), words


def _passes(values: _Doubles, silent: NDArray[np.bool_]) -> tuple[_Doubles, _Doubles]:
    """Best scores of what comes before a frame, and of what comes from it on: (frames + 1, states + 1) each.

    ``values`` are log-likelihoods, (frames, states); ``silent``, (states,), may be left out; the first and the last
    are. ``[t, s + 1]`` of the one is of t frames of which the last is of state s, ``[t, s]`` of the other of the frames
    from t on of which the first is of state s. ``[0, 0]`` of the one and ``[-1, -1]`` of the other are of no frames.
    """
    before = _forward(values, silent)
    after = _forward(values[::-1, ::-1], silent[::-1])[::-1, ::-1]
    return before, after


def _forward(values: _Doubles, silent: NDArray[np.bool_]) -> _Doubles:
    frames, states = values.shape
    best = np.full((frames + 1, states + 1), _IMPOSSIBLE)
    best[0, 0] = 0.0
    best[1, 1:3] = values[0, :2]
    over = np.concatenate([[False, False], silent[1:-1]])  # the state before may be left out
    last = best[1, 1:]
    for frame in range(1, frames):
        came = np.maximum(last[1:], last[:-1])
        step = np.concatenate([last[:1], came])
        skip = np.concatenate([[_IMPOSSIBLE, _IMPOSSIBLE], last[:-2]])
        last = np.where(over, np.maximum(step, skip), step) + values[frame]
        best[frame + 1, 1:] = last
    return best


def _ends(before: _Doubles, start: int) -> _Doubles:
    """(frames + 1,) best score of what comes before a state: with the silence before it, or without."""
    return np.maximum(before[:, start], before[:, start - 1])


def _begins(after: _Doubles, silence: int) -> _Doubles:
    """(frames + 1,) best score of what comes from a silence on, or from what follows it."""
    return np.maximum(after[:, silence], after[:, silence + 1])


def _through(entry: _Doubles, leave: _Doubles, free: _Doubles, shortest: int) -> float:
    """The best score of a path that goes through any phones, for at least ``shortest`` frames."""
    arrived = np.maximum.accumulate(entry - free)
    return float(((leave + free)[shortest:] + arrived[: len(arrived) - shortest]).max())


_MOST_WORDS = 3
"""That are left out or said twice together."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a recording was read, by the phone classifier.

    Attributes:
        distance: nats a frame by which the text is less likely than the likeliest phones.
        other: nats by which the likeliest other text is likelier than this one; None where none can be said so fast.
        left_out: the words that the likeliest were not read, and the nats by which the recording is likelier so.
        repeated: likewise, the words that were read twice.
    """

    distance: float
    other: float | None
    left_out: tuple[str, float]
    repeated: tuple[str, float]


def reading(text: str, mel: Tensor, others: Sequence[str], lexicon: Lexicon, language: str = ENGLISH) -> Reading | None:
    """Compares a recording with its text, with other texts, and with the text read carelessly.

    ``mel`` is a log-mel of the default settings, (80, frames). None where the text has more phones than the classifier
    has frames, or none.
    """
    aligned = _aligned_phones(text, mel, lexicon, language)
    if aligned is None:
        return None
    likelihoods, phones, words, before, after, whole = aligned
    left_out = repeated = ("", _IMPOSSIBLE)
    for first in range(len(words)):
        for last in range(first, min(first + _MOST_WORDS, len(words))):
            said = " ".join(word for word, _, _ in words[first : last + 1])
            start, stop = words[first][1], words[last][2]
            if last - first + 1 < len(words):
                gain = float((_ends(before, start) + _begins(after, stop)).max()) - whole
                left_out = max(left_out, (said, gain), key=lambda one: one[1])
            if stop - start > 1:  # a single phone that is said twice is a long one
                gain = _likelihood(likelihoods, np.concatenate([phones[: stop + 1], phones[start:]])) - whole
                repeated = max(repeated, (said, gain), key=lambda one: one[1])
    other = max((_likelihood(likelihoods, _graph(one, lexicon, language)[0]) for one in others), default=_IMPOSSIBLE)
    distance = float(likelihoods.max(1).mean()) - whole / len(likelihoods)
    return Reading(
        round(distance, 3),
        None if other == _IMPOSSIBLE else round(other - whole, 1),
        (left_out[0], round(left_out[1], 1)),
        (repeated[0], round(repeated[1], 1)),
    )


def _likelihood(likelihoods: _Doubles, phones: NDArray[np.int64]) -> float:
    """Of the best path through all phones, in nats."""
    if (phones > 0).sum() + 1 > len(likelihoods):
        return _IMPOSSIBLE
    return float(_forward(likelihoods[:, phones], phones == 0)[-1, -2:].max())


FEWEST_WORDS: Final = 3
"""Of fewer, the reverse order tells nothing."""


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
        suspects: the likeliest wrong word of each kind; none without the phone classifier.
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


Aligner = tuple[ArtifactLocation, tuple[ArtifactLocation, str] | None]
"""Where a base lies, and what teaches it the language of the texts, with its code; None: English."""


@lru_cache(maxsize=2)
def loaded(aligner: Aligner) -> AcousticModel:
    """The base that lies somewhere, loaded once in every process."""
    base, language = aligner
    return load_acoustic_model(Artifact.load(base), language and (Artifact.load(language[0]), language[1]))


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
    turned = torch.cat(parts[::-1], 1) if len(parts) >= FEWEST_WORDS else mu.flip(1)
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
