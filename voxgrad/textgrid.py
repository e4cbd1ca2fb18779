"""Praat's TextGrids: interval tiers from and to files."""

import re
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgrad.errors import BadInputError

_TIER = re.compile(r'class = "IntervalTier"\s+name = "((?:[^"]|"")*)"')
_INTERVAL = re.compile(r'xmin = (\S+)\s+xmax = (\S+)\s+text = "((?:[^"]|"")*)"')


@dataclass(frozen=True, slots=True)
class Interval:
    """A labelled piece of a tier; seconds."""

    start: float
    stop: float
    label: str


def read_tiers(path: Path) -> list[tuple[str, list[Interval]]]:
    """The names and intervals of all interval tiers of a TextGrid, in any of Praat's formats.

    Raises:
        BadInputError: it is not a TextGrid.
    """
    import parselmouth  # noqa: PLC0415 (it takes a while, and few folders hold grids)

    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as scratch:
            warnings.simplefilter("ignore", parselmouth.PraatWarning)
            grid = parselmouth.Data.read(str(path))
            if not isinstance(grid, parselmouth.TextGrid):
                raise BadInputError(f"{path.name} is not a TextGrid", "Save one in Praat.")
            # Praat reads every format, but to ask it for one interval after another would take a hundred times as long.
            long_format = Path(scratch) / "long.TextGrid"
            grid.save_as_text_file(str(long_format))
            content = long_format.read_bytes()
    except (parselmouth.PraatError, UnicodeError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        message = f"{path.name} cannot be read as a TextGrid ({reason})"
        raise BadInputError(message, "Save it again in Praat.") from error
    text = content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8")
    # A label may quote anything, so that tiers are told apart by where they begin, not by splitting.
    tiers = list(_TIER.finditer(text))
    ends = [*(tier.start() for tier in tiers[1:]), len(text)]
    return [(_unquoted(tier[1]), _intervals(text, tier.end(), end)) for tier, end in zip(tiers, ends, strict=False)]


def _intervals(text: str, start: int, stop: int) -> list[Interval]:
    return [
        Interval(float(found[1]), float(found[2]), _unquoted(found[3]))
        for found in _INTERVAL.finditer(text, start, stop)
    ]


def without_gaps(intervals: Iterable[Interval], seconds: float) -> list[Interval]:
    """The same intervals with empty ones between, so that a tier runs from 0 to ``seconds``."""
    filled, end = [], 0.0
    for interval in intervals:
        if interval.start > end:
            filled.append(Interval(end, interval.start, ""))
        filled.append(interval)
        end = interval.stop
    return [*filled, Interval(end, seconds, "")] if end < seconds else filled


def text_grid(tiers: Mapping[str, Sequence[Interval]], seconds: float) -> str:
    """Interval tiers as Praat's long text format; each must be `without_gaps`."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {seconds}", "tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {seconds}"]
        lines += [f"        intervals: size = {len(intervals)}"]
        for index, interval in enumerate(intervals, 1):
            lines += [f"        intervals [{index}]:", f"            xmin = {interval.start}"]
            lines += [f"            xmax = {interval.stop}", f"            text = {_quoted(interval.label)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _unquoted(text: str) -> str:
    return text.replace('""', '"')
