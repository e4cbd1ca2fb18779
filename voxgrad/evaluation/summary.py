"""Figures of many clips in one table."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voxgrad.evaluation.trial import Figures

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
    rows = [
        f"| {name}{f' ({unit})' if unit else ''} | {' | '.join(shown)} |"
        for name, unit, shown in lines(summary)
    ]
    head = f"| | {' | '.join(column.replace('_', ' ') for column in COLUMNS)} |\n| --- | --- | --- | --- |"
    return f"# {title}\n\n{head}\n" + "\n".join(rows) + "\n"


def _shown(value: float | None, measure: Measure) -> str:
    return "" if value is None else f"{value * measure.factor:.{measure.digits}f}"
