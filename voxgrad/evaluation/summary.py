"""Figures of many clips in one table, and whether fine-tuning helped."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voxgrad.evaluation.clips import Figures

VOICE, VOCODED, RECORDINGS = "voice", "through_vocoder", "recordings"
COLUMNS = (VOICE, VOCODED, RECORDINGS)
Rows = Mapping[str, Sequence[Figures]]
"""By column, the figures of every clip."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table."""

    key: str
    title: str
    unit: str
    factor: float
    digits: int


MEASURES = (
    Measure("mel_cepstral_distortion", "mel-cepstral distortion", "dB", 1, 2),
    Measure("f0_error", "F0 error", "cents", 1, 0),
    Measure("f0_shift", "F0 shift", "semitones", 1, 2),
    Measure("voicing_error", "voicing error", "%", 100, 1),
    Measure("spectral_detail", "spectral detail against recording", "", 1, 2),
    Measure("length", "length against recording", "", 1, 3),
    Measure("length_error", "length error", "%", 100, 1),
    Measure("phone_error", "phone duration error", "ms", 1000, 0),
    Measure("real_time_factor", "real-time factor", "", 1, 3),
    Measure("word_error", "word error", "%", 100, 1),
    Measure("words_wrong", "words wrong by alignment", "%", 100, 1),
    Measure("similarity", "speaker similarity", "", 1, 3),
    Measure("dnsmos", "DNSMOS overall", "1 to 5", 1, 2),
)
_MEDIANS = {"f0_shift", "real_time_factor"}


def summarised(rows: Rows) -> dict[str, Figures]:
    """One figure of each measure and column: means, of shift and real-time factor medians, of words a share."""
    return {column: _figures(clips) for column, clips in rows.items()}


def _figures(clips: Sequence[Figures]) -> Figures:
    figures: Figures = {}
    for measure in MEASURES:
        values = [value for clip in clips if (value := clip.get(measure.key)) is not None]
        if values:
            middle = statistics.median if measure.key in _MEDIANS else statistics.fmean
            figures[measure.key] = round(middle(values), 5)
    lengths = [math.fabs(value - 1) for clip in clips if (value := clip.get("length")) is not None]
    if lengths:
        figures["length_error"] = round(statistics.fmean(lengths), 5)
    for share, count in (("word_error", "misheard"), ("words_wrong", "wrong")):
        judged = [clip for clip in clips if clip.get(count) is not None]
        if judged:
            words = sum(float(clip["words"] or 0) for clip in judged)
            figures[share] = round(sum(float(clip[count] or 0) for clip in judged) / words, 5)
    return figures


def lines(summary: Mapping[str, Figures]) -> list[tuple[str, str, list[str]]]:
    """Title, unit and the shown figures of every measure that was taken."""
    table = []
    for measure in MEASURES:
        shown = [_shown(summary.get(column, {}).get(measure.key), measure) for column in COLUMNS]
        if any(shown):
            table.append((measure.title, measure.unit, shown))
    return table


def markdown(title: str, summary: Mapping[str, Figures]) -> str:
    """The table as a document."""
    rows = [f"| {name}{f' ({unit})' if unit else ''} | {' | '.join(shown)} |" for name, unit, shown in lines(summary)]
    head = f"| | {' | '.join(column.replace('_', ' ') for column in COLUMNS)} |\n|{' --- |' * (1 + len(COLUMNS))}"
    return f"# {title}\n\n{head}\n" + "\n".join(rows) + "\n"


def _shown(value: float | None, measure: Measure) -> str:
    return "" if value is None else f"{value * measure.factor:.{measure.digits}f}"


_JUDGE = "mel_cepstral_distortion"
_NOTICEABLE = 0.1
"""dB; less is within what other noise would give."""
_BESIDE = (
    ("f0_shift", "pitch off by", "semitones", 1, 1),
    ("voicing_error", "voicing error", "%", 100, 0),
    ("phone_error", "phone durations off by", "ms", 1000, 0),
)


def verdict(base: Figures, voice: Figures) -> str:
    """Say whether a voice is nearer to its recordings than its base was, by its mel-cepstral distortion.

    >>> verdict({"mel_cepstral_distortion": 8.0, "f0_shift": -3.0}, {"mel_cepstral_distortion": 6.0, "f0_shift": 0.2})
    'Fine-tuning helped: mel-cepstral distortion 8.00 → 6.00 dB, pitch off by 3.0 → 0.2 semitones.'
    >>> verdict({"mel_cepstral_distortion": 6.0}, {"mel_cepstral_distortion": 6.1})
    'Fine-tuning did not help: mel-cepstral distortion 6.00 → 6.10 dB.'
    """
    before, after = base[_JUDGE], voice[_JUDGE]
    if before is None or after is None:
        raise ValueError("a summary without its judge")
    helped = before - after >= _NOTICEABLE
    figures = [f"mel-cepstral distortion {before:.2f} → {after:.2f} dB"]
    for key, title, unit, factor, digits in _BESIDE:
        was, now = base.get(key), voice.get(key)
        if was is not None and now is not None:
            figures.append(f"{title} {abs(was) * factor:.{digits}f} → {abs(now) * factor:.{digits}f} {unit}")
    return f"Fine-tuning {'helped' if helped else 'did not help'}: {', '.join(figures)}."
