"""Whether a clip is kept, kept with a warning, or rejected, and why; doubtful transcripts by their alignments."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from voxgrad.errors import BadInputError
from voxgrad.preparation.alignment import Fit, WordFit
from voxgrad.preparation.duplicates import duplicates
from voxgrad.preparation.recording import PreparedClip
from voxgrad.preparation.word_checks import Suspect
from voxgrad.settings import CheckSpec

FEWEST = 8
"""Fewer clips do not tell what is usual."""

_CONSISTENT = 1.4826  # makes the median absolute deviation a standard deviation (of a normal distribution)
_NARROWEST = 2.0  # nats a frame: below, clips do not differ by anything that is heard
_NARROWEST_GAIN = 2.0  # nats
_BROKEN = 4.0
_UNUSUAL_RHYTHM = 6.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """How a clip stands among its peers.

    Attributes:
        deviations: robust standard deviations by which its likelihood lies below their median.
        reason: why it is doubted; empty where it is not.
        words: where it breaks, such as ``…the red house…``.
    """

    deviations: float
    reason: str
    words: str


def doubts(fits: Mapping[str, Fit], checks: CheckSpec) -> dict[str, Doubt]:
    """Compares clips with each other; of fewer than `FEWEST` none is doubted.

    A clip is doubted where its text explains it worse than usual and is hardly better than the same words
    backwards: the less it is better, the less worse it has to be. A noisy clip has the first alone, a text of one
    word the second.

    Args:
        fits: by clip id, of one speaker.
        checks: thresholds.
    """
    if len(fits) < FEWEST:
        return {name: Doubt(0.0, "", "") for name in fits}
    likelihoods = np.array([fit.likelihood for fit in fits.values()])
    rhythms = _deviations(np.array([fit.duration_deviation for fit in fits.values()]), 0.05)
    usual_margin = float(np.median([fit.margin for fit in fits.values()]))
    words = np.array([word.likelihood for fit in fits.values() for word in fit.words])
    word_bound = float(np.median(words)) - _BROKEN * _spread(words, _NARROWEST)
    usual = usual_gains([fit.suspects for fit in fits.values()])
    found = {}
    for (name, fit), below, rhythm in zip(
        fits.items(), -_deviations(likelihoods, _NARROWEST), rhythms, strict=True
    ):
        reason = ""
        if any(below > bound and fit.margin < share * usual_margin for bound, share in checks.doubt_bounds):
            reason = f"the text may be wrong: its alignment is {below:.1f} deviations worse than its peers'"
        elif rhythm > _UNUSUAL_RHYTHM:
            reason = f"words may be missing: its phones' durations are {rhythm:.1f} deviations off"
        words_broken = breaking(fit.words, word_bound) if reason else ""
        if not reason and beyond_usual(fit.suspects, usual) > checks.doubt_word:
            suspect = max(fit.suspects, key=lambda one: beyond_usual([one], usual))
            reason, words_broken = "a word of the text may be wrong", _said(suspect)
        found[name] = Doubt(round(float(below), 2), reason, words_broken)
    return found


def usual_gains(clips: Sequence[Sequence[Suspect]]) -> dict[str, tuple[float, float]]:
    """Median and robust standard deviation of the gains of every kind of suspect word."""
    gains: dict[str, list[float]] = defaultdict(list)
    for suspect in (one for clip in clips for one in clip):
        gains[suspect.kind].append(suspect.gain)
    return {
        kind: (float(np.median(found)), _spread(np.array(found), _NARROWEST_GAIN))
        for kind, found in gains.items()
    }


def beyond_usual(found: Sequence[Suspect], usual: Mapping[str, tuple[float, float]]) -> float:
    """Standard deviations by which a clip's most suspect word lies above what is usual; 0 without any."""
    above = [(one.gain - usual[one.kind][0]) / usual[one.kind][1] for one in found]
    return max(above, default=0.0)


def _said(suspect: Suspect) -> str:
    word = f"“{suspect.word}”"
    if suspect.kind == "missing":
        return f"a word that is said after {word}" if suspect.word else "a word that is said at the beginning"
    return (
        f"{word}, for which another is said" if suspect.kind == "replaced" else f"{word}, which is not said"
    )


def breaking(words: tuple[WordFit, ...], bound: float) -> str:
    """The longest run of words below a bound, with at most eight words shown; the worst word if there is none."""
    runs: list[list[WordFit]] = [[]]
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
    scaled: np.ndarray = (values - np.median(values)) / _spread(values, narrowest)
    return scaled


def _spread(values: np.ndarray, narrowest: float) -> float:
    return max(_CONSISTENT * float(np.median(np.abs(values - np.median(values)))), narrowest)


Word = Literal["kept", "warning", "rejected"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is done with a clip.

    Attributes:
        word: ``kept``, ``warning``: kept with one, or ``rejected``.
        reasons: of a warning or a rejection.
        doubt: how its alignment stands among its peers'; None without a base.
    """

    word: Word
    reasons: tuple[str, ...]
    doubt: Doubt | None


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
            raise BadInputError("--strict and --keep-all exclude each other", "Give one of them.")
        if not 0 <= self.drop_worst < 100:
            raise BadInputError(
                f"{self.drop_worst:g} % cannot be dropped", "Give --drop-worst a percentage below 100."
            )


def judge(made: Sequence[PreparedClip], checks: CheckSpec, policy: Policy) -> dict[str, Verdict]:
    """Judges all clips of a dataset, by id."""
    doubted = _doubted(made, checks)
    dropped = _worst(doubted, policy.drop_worst)
    twice = duplicates(made).reasons(made)
    found = {}
    for one in made:
        doubt = doubted.get(one.clip.id)
        against = list(_rejections(one.record, checks))
        warnings = [*_warnings(one.record, checks), *twice.get(one.clip.id, ())]
        if doubt is not None and doubt.reason:
            warnings.append(f"{doubt.reason}, worst at {doubt.words}")
        if against:
            word: Word = "warning" if policy.keep_all else "rejected"
        elif warnings:
            word = "rejected" if policy.strict else "warning"
        else:
            word = "kept"
        if one.clip.id in dropped:  # asked for, so that --keep-all does not count
            word = "rejected"
            against.append(f"among the worst {policy.drop_worst:g} % by its alignment")
        found[one.clip.id] = Verdict(word, (*against, *warnings), doubt)
    return found


def _doubted(made: Sequence[PreparedClip], checks: CheckSpec) -> dict[str, Doubt]:
    """Every clip among those of its speaker."""
    found: dict[str, Doubt] = {}
    for speaker in sorted({one.clip.speaker for one in made}):
        theirs = {one.clip.id: one.fit for one in made if one.clip.speaker == speaker}
        found |= doubts({name: fit for name, fit in theirs.items() if fit is not None}, checks)
    return found


def _worst(doubted: Mapping[str, Doubt], percent: float) -> frozenset[str]:
    count = round(len(doubted) * percent / 100)
    return frozenset(sorted(doubted, key=lambda name: (-doubted[name].deviations, name))[:count])


def _rejections(record: dict[str, Any], checks: CheckSpec) -> Iterator[str]:
    measures, source = record["measures"], record["source"]
    low, high = checks.reject_phones_per_second
    if measures["snr_db"] < checks.reject_snr_db:
        yield f"it is hardly louder than its background ({measures['snr_db']:.0f} dB)"
    if source["clipped"] > checks.reject_clipped:
        yield f"{100 * source['clipped']:.0f} % of its samples are clipped"
    if measures["bandwidth_hz"] < checks.reject_bandwidth_hz:
        yield f"it holds nothing above {measures['bandwidth_hz']:.0f} Hz"
    if not low <= measures["phones_per_second"] <= high:
        yield f"its text would be said at {measures['phones_per_second']:.1f} phones a second"


def _warnings(record: dict[str, Any], checks: CheckSpec) -> Iterator[str]:
    """What is worth knowing; of what is rejected already, too, no second time."""
    measures, source = record["measures"], record["source"]
    low, high = checks.warn_phones_per_second
    slow, fast = checks.reject_phones_per_second
    if record["transcribed"]:
        unsure = record.get("log_probability", 0.0) < checks.warn_log_probability
        yield f"its text was written down by {record['text_from']}{', which is unsure of it' if unsure else ''}"
    if checks.reject_snr_db <= measures["snr_db"] < checks.warn_snr_db:
        yield f"it is noisy: {measures['snr_db']:.0f} dB above its background"
    if checks.warn_clipped < source["clipped"] <= checks.reject_clipped:
        yield f"{100 * source['clipped']:.2f} % of its samples are clipped"
    if checks.reject_bandwidth_hz <= measures["bandwidth_hz"] < checks.warn_bandwidth_hz:
        yield f"it is muffled: nothing above {measures['bandwidth_hz']:.0f} Hz, as of a telephone or a small MP3"
    if measures["f0_hz"] is None:
        yield "no voice is found in it"
    elif measures["harmonicity_db"] < checks.warn_harmonicity_db:
        yield f"its voice is hoarse or noisy: {measures['harmonicity_db']:.1f} dB of harmonicity"
    if slow <= measures["phones_per_second"] < low or high < measures["phones_per_second"] <= fast:
        yield f"its text would be said at {measures['phones_per_second']:.1f} phones a second"
    if record["gain_db"] > checks.warn_gain_db:
        yield f"it was faint: amplified by {record['gain_db']:.0f} dB"
    if abs(source["offset"]) > checks.warn_offset:
        yield f"its samples had an offset of {source['offset']:.3f}, taken off"
    if source["cancelling"]:
        yield "its channels are out of phase: only the loudest was taken"
