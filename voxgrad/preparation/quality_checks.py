"""Whether a clip is kept, kept with a warning, or rejected, and why."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voxgrad.errors import BadInputError
from voxgrad.preparation.alignment import FEWEST_WORDS, Suspect, TranscriptScore, WordScore
from voxgrad.preparation.recording import PreparedClip
from voxgrad.settings import CheckSpec

FEWEST = 8
"""Fewer clips of a speaker do not tell what is usual."""

_CONSISTENT = 1.4826  # makes the median absolute deviation a standard deviation (of a normal distribution)
_NARROWEST = 2.0  # nats a frame: below, clips do not differ by anything that is heard
_NARROWEST_GAIN = 2.0  # nats
_BROKEN = 4.0
_UNUSUAL_RHYTHM = 6.0
_WRONG = "the text may be wrong: the same words in reverse order fit the recording better"


@dataclass(frozen=True, slots=True)
class Outlier:
    """How far a clip deviates from the other clips of its speaker."""

    deviations: float
    """Robust standard deviations by which its likelihood lies below their median."""
    reason: str
    """Why it is doubted; empty where it is not."""
    words: str
    """Where it breaks, such as ``…the red house…``."""


def find_outliers(fits: Mapping[str, TranscriptScore], checks: CheckSpec) -> dict[str, Outlier]:
    """Compares the clips of one speaker, by id, with each other; of fewer than `FEWEST`, each with its words backwards.

    A clip is doubted where its text explains it worse than usual and is hardly better than the same words
    backwards: the less it is better, the less worse it has to be. A noisy clip has the first alone, a text of one
    word the second.
    """
    if len(fits) < FEWEST:
        return {name: _alone(fit) for name, fit in fits.items()}
    likelihoods = np.array([fit.likelihood for fit in fits.values()])
    rhythms = _deviations(np.array([fit.duration_deviation for fit in fits.values()]), 0.05)
    usual_margin = float(np.median([fit.margin for fit in fits.values()]))
    words = np.array([word.likelihood for fit in fits.values() for word in fit.words])
    word_bound = float(np.median(words)) - _BROKEN * _spread(words, _NARROWEST)
    usual = usual_gains([fit.suspects for fit in fits.values()])
    found = {}
    for (name, fit), below, rhythm in zip(fits.items(), -_deviations(likelihoods, _NARROWEST), rhythms, strict=True):
        reason = ""
        if any(below > bound and fit.margin < share * usual_margin for bound, share in checks.doubt_bounds):
            reason = f"the text may be wrong: its alignment is {below:.1f} deviations worse than that of the others"
        elif rhythm > _UNUSUAL_RHYTHM:
            reason = f"words may be missing: its phones' durations are {rhythm:.1f} deviations off"
        words_broken = breaking(fit.words, word_bound) if reason else ""
        if not reason and beyond_usual(fit.suspects, usual) > checks.doubt_word:
            suspect = max(fit.suspects, key=lambda suspect: beyond_usual([suspect], usual))
            reason, words_broken = "a word of the text may be wrong", _said(suspect)
        found[name] = Outlier(round(float(below), 2), reason, words_broken)
    return found


def _alone(fit: TranscriptScore) -> Outlier:
    """A clip without others; of one or two words, the order tells nothing."""
    wrong = len(fit.words) >= FEWEST_WORDS and fit.margin < 0
    return Outlier(0.0, _WRONG, breaking(fit.words, -np.inf)) if wrong else Outlier(0.0, "", "")


def usual_gains(clips: Sequence[Sequence[Suspect]]) -> dict[str, tuple[float, float]]:
    """Median and robust standard deviation of the gains of every kind of suspect word."""
    gains: dict[str, list[float]] = defaultdict(list)
    for suspect in chain.from_iterable(clips):
        gains[suspect.kind].append(suspect.gain)
    return {kind: (float(np.median(found)), _spread(np.array(found), _NARROWEST_GAIN)) for kind, found in gains.items()}


def beyond_usual(suspects: Sequence[Suspect], usual: Mapping[str, tuple[float, float]]) -> float:
    """Standard deviations by which a clip's most suspect word lies above what is usual; 0 without any."""
    return max(((suspect.gain - usual[suspect.kind][0]) / usual[suspect.kind][1] for suspect in suspects), default=0.0)


def _said(suspect: Suspect) -> str:
    word = f"“{suspect.word}”"
    if suspect.kind == "missing":
        return f"an extra word after {word}" if suspect.word else "an extra word at the beginning"
    wrong = {"replaced": "where the recording has another word", "added": "which is missing in the recording"}
    return f"{word}, {wrong[suspect.kind]}"


def breaking(words: tuple[WordScore, ...], bound: float) -> str:
    """The longest run of words below a bound, with at most eight words shown; the worst word if there is none."""
    runs: list[list[WordScore]] = [[]]
    for word in words:
        if word.likelihood < bound:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    shown = longest or [min(words, key=lambda word: word.likelihood)]
    listed = " ".join(word.word for word in shown[:8])
    return f"“{listed}{' …' if len(shown) > 8 else ''}”"


def _deviations(values: np.ndarray, narrowest: float) -> np.ndarray:
    """(n,) → robust standard deviations from the median, (n,)."""
    return (values - np.median(values)) / _spread(values, narrowest)


def _spread(values: np.ndarray, narrowest: float) -> float:
    return max(_CONSISTENT * float(np.median(np.abs(values - np.median(values)))), narrowest)


Word = Literal["kept", "warning", "rejected"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a clip; ``warning``: it is kept with one."""

    word: Word
    reasons: tuple[str, ...]
    doubt: Outlier | None
    """None without a base."""

    @property
    def deviations(self) -> float:
        """See `Outlier`; 0 without a base."""
        return 0.0 if self.doubt is None else self.doubt.deviations


@dataclass(frozen=True, slots=True)
class Policy:
    """How strict to be.

    Attributes:
        strict: reject what would be kept with a warning.
        keep_all: keep with a warning what would be rejected.
        drop_worst: percentage of the clips to reject for their alignments, the worst first.
    """

    strict: bool = False
    keep_all: bool = False
    drop_worst: float = 0.0

    def __post_init__(self) -> None:
        if self.strict and self.keep_all:
            raise BadInputError("--strict and --keep-all cannot be used together", "Give one of them.")
        if not 0 <= self.drop_worst < 100:
            raise BadInputError(
                f"{self.drop_worst:g} % is not a share that can be dropped", "Give --drop-worst a percentage below 100."
            )


def classify(made: Sequence[PreparedClip], checks: CheckSpec, policy: Policy) -> dict[str, Verdict]:
    """Judges all clips of a dataset, by id."""
    doubted = _doubted(made, checks)
    dropped = _worst(doubted, policy.drop_worst)
    twice = duplicates(made).reasons(made)
    verdicts = {}
    for prepared in made:
        doubt = doubted.get(prepared.clip.id)
        against = list(_rejections(prepared.record, checks))
        warnings = [*_warnings(prepared.record, checks), *twice.get(prepared.clip.id, ())]
        if doubt is not None and doubt.reason:
            warnings.append(f"{doubt.reason}, worst at {doubt.words}")
        if against:
            word: Word = "warning" if policy.keep_all else "rejected"
        elif warnings:
            word = "rejected" if policy.strict else "warning"
        else:
            word = "kept"
        if prepared.clip.id in dropped:  # asked for, so that --keep-all does not count
            word = "rejected"
            against.append(f"among the worst {policy.drop_worst:g} % by its alignment")
        verdicts[prepared.clip.id] = Verdict(word, (*against, *warnings), doubt)
    return verdicts


def _doubted(made: Sequence[PreparedClip], checks: CheckSpec) -> dict[str, Outlier]:
    """Every clip among those of its speaker."""
    found: dict[str, Outlier] = {}
    for speaker in sorted({prepared.clip.speaker for prepared in made}):
        theirs = {prepared.clip.id: prepared.fit for prepared in made if prepared.clip.speaker == speaker}
        found |= find_outliers({name: fit for name, fit in theirs.items() if fit is not None}, checks)
    return found


def _worst(doubted: Mapping[str, Outlier], percent: float) -> frozenset[str]:
    count = round(len(doubted) * percent / 100)
    return frozenset(sorted(doubted, key=lambda name: (-doubted[name].deviations, name))[:count])


def _rejections(record: dict[str, Any], checks: CheckSpec) -> Iterator[str]:
    measures, source = record["measures"], record["source"]
    low, high = checks.reject_phones_per_second
    if measures["snr_db"] < checks.reject_snr_db:
        yield f"speech is hardly louder than the background ({measures['snr_db']:.0f} dB)"
    if source["clipped"] > checks.reject_clipped:
        yield f"{100 * source['clipped']:.0f} % of its samples are clipped"
    if measures["bandwidth_hz"] < checks.reject_bandwidth_hz:
        yield f"it has nothing above {measures['bandwidth_hz']:.0f} Hz"
    if not low <= measures["phones_per_second"] <= high:
        yield f"the speech rate would be {measures['phones_per_second']:.1f} phones a second"


def _warnings(record: dict[str, Any], checks: CheckSpec) -> Iterator[str]:
    """What is worth knowing; of what is rejected already, too, no second time."""
    measures, source = record["measures"], record["source"]
    low, high = checks.warn_phones_per_second
    slow, fast = checks.reject_phones_per_second
    if record["transcribed"]:
        unsure = record.get("log_probability", 0.0) < checks.warn_log_probability
        yield f"its text was transcribed by {record['text_from']}{', with low confidence' if unsure else ''}"
    if checks.reject_snr_db <= measures["snr_db"] < checks.warn_snr_db:
        yield f"it is noisy: {measures['snr_db']:.0f} dB above the background"
    if checks.warn_clipped < source["clipped"] <= checks.reject_clipped:
        yield f"{100 * source['clipped']:.2f} % of its samples are clipped"
    if checks.reject_bandwidth_hz <= measures["bandwidth_hz"] < checks.warn_bandwidth_hz:
        yield f"it is muffled: nothing above {measures['bandwidth_hz']:.0f} Hz, like a telephone or a small MP3"
    if measures["f0_hz"] is None:
        yield "no voice was found"
    elif measures["harmonicity_db"] < checks.warn_harmonicity_db:
        yield f"its voice is hoarse or noisy: {measures['harmonicity_db']:.1f} dB of harmonicity"
    if slow <= measures["phones_per_second"] < low or high < measures["phones_per_second"] <= fast:
        yield f"the speech rate would be {measures['phones_per_second']:.1f} phones a second"
    if record["gain_db"] > checks.warn_gain_db:
        yield f"it was quiet: amplified by {record['gain_db']:.0f} dB"
    if abs(source["offset"]) > checks.warn_offset:
        yield f"its samples had an offset of {source['offset']:.3f}, which was removed"
    if source["cancelling"]:
        yield "its channels are out of phase: only the loudest was taken"


_PAIR = 2  # of two, either may be wrong
_LONGER = 1.5
_BY_SECONDS = 0.5
"""How much longer the longest clip of a text is than the shortest; takes of one sentence differ by less."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of clips, by id."""

    audio: tuple[tuple[str, ...], ...]
    """The same samples under several names."""
    texts: tuple[tuple[str, ...], ...]
    """One text of clips whose lengths differ too much for it, so that some of them say something else."""

    def reasons(self, made: Sequence[PreparedClip]) -> dict[str, list[str]]:
        """Reasons by clip id; of several clips with the same audio, the first has none."""
        clips = {prepared.clip.id: prepared.clip for prepared in made}
        found: dict[str, list[str]] = defaultdict(list)
        for first, *others in self.audio:
            for name in others:
                same = clips[name].normalised == clips[first].normalised
                found[name].append(f"it has the same audio as {first}{'' if same else ', but another text'}")
        for group in self.texts:
            usual = median(clips[name].seconds for name in group)
            for name in group:
                if len(group) == _PAIR or _unlike([clips[name].seconds, usual]):
                    found[name].append(
                        f"it lasts {clips[name].seconds:.1f} s, and the {len(group)} clips with its text "
                        f"{usual:.1f} s (median): one of them says another"
                    )
        return found


def duplicates(made: Sequence[PreparedClip]) -> Duplicates:
    """Finds clips with the same audio, and texts of clips of too different length of one speaker."""
    seconds = {prepared.clip.id: prepared.clip.seconds for prepared in made}
    audio = _groups(made, lambda prepared: hashlib.sha256(prepared.flac).hexdigest())
    texts = _groups(made, lambda prepared: f"{prepared.clip.speaker}\n{prepared.clip.normalised.lower()}")
    return Duplicates(audio, tuple(group for group in texts if _unlike([seconds[name] for name in group])))


def _unlike(seconds: Sequence[float]) -> bool:
    return max(seconds) > max(_LONGER * min(seconds), min(seconds) + _BY_SECONDS)


def _groups(made: Sequence[PreparedClip], key: Callable[[PreparedClip], str]) -> tuple[tuple[str, ...], ...]:
    found: dict[str, list[str]] = defaultdict(list)
    for prepared in made:
        found[key(prepared)].append(prepared.clip.id)
    return tuple(tuple(group) for group in found.values() if len(group) > 1)


_COEFFICIENTS = 20
_QUIET = 40  # percentile of the frames that count as pauses
_PITCH = 0.03  # of log-frequency: half of what the medians of one voice's clips commonly deviate
_APART = 10.0
"""Standard deviations between the means of two clusters: `tests/benchmarks/bench_speakers.py` has what is usual."""
_SMALLEST = 0.05
"""Share of the clips that is a second voice, not an odd clip."""
_ROUNDS = 20
_LEAST = 1e-9
"""Variance: clips may be all alike."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MixedVoices:
    """Two voices among the clips of one speaker."""

    speaker: str
    clips: tuple[str, ...]
    """Of the rarer voice, by id."""
    of: int
    """How many clips there are."""


def mixed_voices(made: Sequence[PreparedClip]) -> list[MixedVoices]:
    """The speakers among whose clips there are two voices."""
    found = []
    for speaker in sorted({prepared.clip.speaker for prepared in made}):
        theirs = [prepared for prepared in made if prepared.clip.speaker == speaker and prepared.clip.frames > 1]
        if len(theirs) < FEWEST:
            continue
        distance, rarer = split(
            [prepared.mel for prepared in theirs], [prepared.record["measures"]["f0_hz"] for prepared in theirs]
        )
        if distance > _APART:
            names = tuple(prepared.clip.id for prepared, other in zip(theirs, rarer, strict=True) if other)
            found.append(MixedVoices(speaker, names, len(theirs)))
    return found


def split(mels: Sequence[NDArray[np.float32]], f0: Sequence[float | None]) -> tuple[float, NDArray[np.bool_]]:
    """Divides clips in two by their embeddings.

    Args:
        mels: log-mels, (n_mels, frames) each.
        f0: median pitch in Hz; None where nothing is voiced.

    Returns:
        Distance of the clusters' means in standard deviations, and (clips,) which are in the smaller one. The
        distance is 0 where one clip or two would be a cluster.
    """
    halves = np.array([[_cepstrum(half) for half in np.array_split(mel, 2, axis=1)] for mel in mels])
    change = halves[:, 0] - halves[:, 1]
    within = change.T @ change / len(change) / 4  # of the mean of two halves
    within += max(0.1 * np.trace(within) / len(within), _LEAST) * np.eye(len(within))
    cepstra = halves.mean(1) @ np.linalg.cholesky(np.linalg.inv(within))
    pitch = np.log([np.nan if value is None else value for value in f0])
    pitch = np.nan_to_num((pitch - np.nanmedian(pitch)) / _PITCH) if np.isfinite(pitch).any() else np.zeros(len(f0))
    points = np.concatenate([cepstra, pitch[:, None]], 1)
    points -= points.mean(0)
    _, _, axes = np.linalg.svd(points, full_matrices=False)
    return max((_two_means(points, points @ axis > 0) for axis in axes[:3]), key=lambda found: found[0])


def _cepstrum(mel: NDArray[np.floating]) -> Floats:
    """Means over the loud frames: (n_mels, frames) → (coefficients,), without the loudness."""
    level = mel.mean(0)
    mean = mel[:, level >= np.percentile(level, _QUIET)].mean(1)
    bands = np.arange(len(mean)) + 0.5
    orders = np.arange(1, _COEFFICIENTS + 1)[:, None]
    return np.cos(np.pi * orders * bands / len(mean)) @ mean / len(mean)


def _two_means(points: Floats, first: NDArray[np.bool_]) -> tuple[float, NDArray[np.bool_]]:
    """Lloyd's algorithm with two clusters, from a division on."""
    nobody = 0.0, np.zeros(len(points), bool)
    for _ in range(_ROUNDS):
        if first.all() or not first.any():
            return nobody
        centres = points[first].mean(0), points[~first].mean(0)
        nearer = np.square(points - centres[0]).sum(1) < np.square(points - centres[1]).sum(1)
        if (nearer == first).all():
            break
        first = nearer
    smaller = first if 2 * first.sum() <= len(first) else ~first
    if smaller.sum() < max(2, _SMALLEST * len(points)):
        return nobody
    distance = np.linalg.norm(points[smaller].mean(0) - points[~smaller].mean(0))
    return float(distance), smaller
