"""Pictures as SVG, legible at the width of a phone, coloured by `voxgrad.theme`; parts of self-contained pages."""

import base64
import html
import io
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jinja2
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from voxgrad.settings import MelSpec
from voxgrad.theme import page_style, picture_style

_MEL_QUALITY = 60
_WIDTH, _HEIGHT = 360, 226
"""Units of a panel, which are pixels on a phone."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 338.0, 44.0, 186.0
"""Of the axes within a panel."""
_LETTERS = 38
"""Of a title in a line."""
_POINTS = 400
"""Of a curve; longer ones are averaged."""
_BINS = 12
"""Of a histogram, or up to twice as many after rounding."""

_KINDS = ("first", "second")
"""Classes of what is compared."""

Curve = tuple[Sequence[int], Sequence[float]]
"""Steps and values."""


def curves(panels: Mapping[str, Mapping[str, Curve]], title: str) -> str:
    """A panel for every name, with two labelled curves, of which one may be empty."""
    return _document([_curves(name, labelled) for name, labelled in panels.items()], title)


def _curves(name: str, labelled: Mapping[str, Curve]) -> list[str]:
    steps, values = ([number for curve in labelled.values() for number in curve[side]] for side in (0, 1))
    x, y = _Axis.around(steps, _LEFT, _RIGHT), _Axis.around(values, _BOTTOM, _TOP)
    marks = []
    for kind, curve in zip(_KINDS, labelled.values(), strict=True):
        along, up = (_averaged(numbers) for numbers in curve)
        points = [(x(step), y(value)) for step, value in zip(along, up, strict=True)]
        if points:
            path = "L".join(f"{left:.1f} {top:.1f}" for left, top in points)
            marks.append(f'<path class="{kind}-line" stroke-width="1.8" stroke-linejoin="round" d="M{path}"/>')
        if len(points) < 40:
            marks += [f'<circle class="{kind}" cx="{left:.1f}" cy="{top:.1f}" r="2.5"/>' for left, top in points]
    return [*_frame(name, [label if values else "" for label, (_, values) in labelled.items()], x, y, "step"), *marks]


def _averaged(values: Sequence[float]) -> NDArray[np.float64]:
    parts = np.array_split(np.asarray(values, np.float64), max(1, min(len(values), _POINTS)))
    return np.array([part.mean() for part in parts if len(part)])


def histograms(values: Mapping[str, Sequence[float]], of: str) -> list[str]:
    """A histogram for every name; ``of`` is what is counted."""
    return [_document([_histogram(name, numbers, of)]) for name, numbers in values.items() if len(numbers)]


def joined_histograms(values: Mapping[str, Sequence[float]], of: str, title: str) -> str:
    """The same in one picture."""
    return _document([_histogram(name, numbers, of) for name, numbers in values.items() if len(numbers)], title)


def _histogram(name: str, values: Sequence[float], of: str) -> list[str]:
    edges = bins(values)
    counts = np.histogram(values, edges)[0]
    x, y = _Axis(edges[0], edges[-1], _LEFT, _RIGHT), _Axis(0, max(int(counts.max()), 1), _BOTTOM, _TOP)
    bars = [
        _bar("first", x(left), x(right), y(count))
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return [*_frame(f"{name}, number of {of}", [], x, y, "", whole=True), *bars]


def bins(values: Sequence[float]) -> list[float]:
    """Round edges of a histogram, whose distance depends on the data (Sturges, 1926; Freedman & Diaconis, 1981).

    >>> bins([1.2, 2.3, 3.1, 4.6, 5.2, 6.7])
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    >>> bins([7.0, 7.0])
    [6.0, 7.0, 8.0]
    """
    low, high = float(np.min(values)), float(np.max(values))
    width = float(np.diff(np.histogram_bin_edges(values, "auto")[:2])[0])
    step = _round_step(max(width, (high - low) / _BINS) if high > low else 0.0, up=False)
    first, last = math.floor(low / step), math.floor(high / step) + 1
    if first == last - 1:
        first -= 1
    return [round(place * step, 10) for place in range(first, last + 1)]


def _round_step(step: float, *, up: bool) -> float:
    """A step rounded up, or down, to 1, 2 or 5 times a power of ten; 0 becomes 1."""
    if step <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    if up:
        return next(times * power for times in (1, 2, 5, 10) if times * power > step * (1 - 1e-9))
    return next(times * power for times in (5, 2, 1) if times * power < step * (1 + 1e-9))


def paired_bars(names: Sequence[str], pairs: Sequence[tuple[float, float]], labels: Sequence[str], title: str) -> str:
    """Two bars for every name."""
    x = _Axis(-0.5, len(names) - 0.5, _LEFT, _RIGHT)
    y = _Axis(0, max(max(pair) for pair in pairs) or 1, _BOTTOM, _TOP)
    marks = []
    for place, (name, (one, other)) in enumerate(zip(names, pairs, strict=True)):
        marks += [_bar("first", x(place - 0.4), x(place), y(one)), _bar("second", x(place), x(place + 0.4), y(other))]
        marks.append(_text(x(place), _BOTTOM + 15, name, "middle", size=11))
    return _document([[*_frame(title, labels, None, y, ""), *marks]])


def alignment(
    mel: NDArray[np.float32],
    mean: NDArray[np.float32],
    phones: Sequence[str],
    durations: Sequence[int],
    spec: MelSpec,
    title: str,
) -> str:
    """A recording's mel above the mean along its alignment, with the borders of the phones, in rows of up to 1.2 s.

    Of every token come a label, which may be empty, and its frames.
    """
    borders = np.concatenate([[0], np.cumsum(durations)])
    rows = math.ceil(mel.shape[1] * spec.seconds_per_frame / 1.2)
    each = math.ceil(mel.shape[1] / rows)
    panels = []
    for first in range(0, mel.shape[1], each):
        x = _Axis(first, first + each, 8, _RIGHT)
        width = x(min(first + each, mel.shape[1])) - 8
        panel = [_text(8, 14, f"from {first * spec.seconds_per_frame:.1f} s: recording and mean", kind="quiet")]
        panel += [_image(one[:, first : first + each], top, width, 70) for one, top in ((mel, 20), (mean, 120))]
        said = zip(phones, borders[:-1], borders[1:], strict=True)
        here = [(phone, start, stop) for phone, start, stop in said if phone.strip() and first <= start < first + each]
        for place, (phone, start, stop) in enumerate(here):
            panel += [_line("border", x(start), top, x(start), top + 70) for top in (20, 120)]
            # On two alternating lines, because some phones are shorter than their names.
            height = 102 if place % 2 else 115
            middle = min(max(x((start + stop) / 2), 20), _RIGHT - 10)
            panel.append(_text(middle, height, phone, "middle", size=11))
        panels.append(panel)
    return _document(panels, title, height=205)


def compared(mels: Mapping[str, NDArray[np.float32]], title: str) -> str:
    """Spectrograms below each other, with their names."""
    panels = [[_text(8, 14, name), _image(mel, 20, _RIGHT - 8, 110)] for name, mel in mels.items()]
    return _document(panels, title, height=142)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Values from ``low`` to ``high`` on the units from ``begin`` to ``end``."""

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def around(cls, values: Sequence[float], begin: float, end: float) -> "_Axis":
        low, high = min(values), max(values)
        spare = 0.5 if low == high else 0.04 * (high - low)
        return cls(low - spare, high + spare, begin, end)

    def __call__(self, value: float) -> float:
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self, *, whole: bool = False) -> list[float]:
        step = _round_step((self.high - self.low) / 5, up=True)
        step = max(1.0, step) if whole else step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(place * step, 10) for place in range(first, last + 1)]


def _frame(
    title: str, labels: Sequence[str], x: _Axis | None, y: _Axis, along: str, *, whole: bool = False
) -> Iterator[str]:
    """Title, legend and axes of a panel."""
    yield _text(8, 16, title, weight=600)
    left = _LEFT
    for kind, label in zip(_KINDS, labels, strict=False):
        if not label:
            continue
        yield f'<rect class="{kind}" x="{left}" y="25" width="10" height="10" rx="2"/>'
        yield _text(left + 15, 34, label, kind="quiet", size=12)
        left += 30 + 7 * len(label)
    for value in y.ticks(whole=whole):
        yield _line("line-line", _LEFT, y(value), _RIGHT, y(value))
        yield _text(_LEFT - 6, y(value) + 4, _number(value), "end", kind="quiet", size=12)
    yield _line("line-line", _LEFT, _BOTTOM, _RIGHT, _BOTTOM)
    if x is not None:
        for value in x.ticks():
            yield _line("line-line", x(value), _BOTTOM, x(value), _BOTTOM + 4)
            yield _text(x(value), _BOTTOM + 18, _number(value), "middle", kind="quiet", size=12)
    if along:
        yield _text(_RIGHT, _BOTTOM + 35, along, "end", kind="quiet", size=12)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}".replace("-", "−")


def _text(
    x: float, y: float, text: str, anchor: str = "start", *, kind: str = "text", size: int = 13, weight: int = 400
) -> str:
    style = f'class="{kind}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text {style} x="{x:.1f}" y="{y:.1f}">{html.escape(text)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _bar(kind: str, left: float, right: float, top: float) -> str:
    width = max(right - left - 1, 1)
    return f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_BOTTOM - top:.1f}"/>'


def _image(mel: NDArray[np.float32], top: float, width: float, height: float) -> str:
    place = f'x="8" y="{top}" width="{width:.1f}" height="{height}"'
    return f'<image {place} preserveAspectRatio="none" href="{mel_picture(mel)}"/>'


def _document(panels: Sequence[Sequence[str]], title: str = "", height: int = _HEIGHT) -> str:
    """Panels below each other, with a title above."""
    lines = textwrap.wrap(textwrap.shorten(title, 3 * _LETTERS, placeholder=" …"), _LETTERS)
    head = 22 * len(lines) + (8 if lines else 0)
    total = head + height * len(panels)
    parts = [_text(8, 20 + 22 * place, line, size=15, weight=600) for place, line in enumerate(lines)]
    for place, panel in enumerate(panels):
        parts.append(f'<g transform="translate(0 {head + height * place})">{"".join(panel)}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {total}" width="{_WIDTH}" height="{total}" '
        f'class="picture" font-family="system-ui, sans-serif"><style>{picture_style()}</style>'
        f'<rect class="ground" width="{_WIDTH}" height="{total}"/>{"".join(parts)}</svg>\n'
    )


def mp3(samples: NDArray[np.float32], rate: int) -> str:
    """Audio as a data URL that every browser plays."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "MPEG_LAYER_III", format="MP3", compression_level=0.8)
    return _data(file.getvalue(), "audio/mpeg")


def mel_picture(mel: NDArray[np.float32]) -> str:
    """A mel as data: one pixel for a band and a frame, the lowest band below."""
    low, high = float(mel.min()), float(mel.max())
    levels = ((mel[::-1] - low) / max(high - low, 1e-6) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(_colours()[levels]).save(file, "JPEG", quality=_MEL_QUALITY)
    return _data(file.getvalue(), "image/jpeg")


_MAGMA = "000004 1c1044 4f127b 812581 b5367a e55064 fb8761 fec287 fcfdbf"
"""Of matplotlib, by van der Walt and Smith (CC0), at equal distances."""


@lru_cache(maxsize=1)
def _colours() -> NDArray[np.uint8]:
    """(256, 3)."""
    known = np.array([list(bytes.fromhex(colour)) for colour in _MAGMA.split()])
    levels = np.linspace(0, len(known) - 1, 256)
    return np.stack([np.interp(levels, range(len(known)), part) for part in known.T], 1).astype(np.uint8)


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def template(folder: Path, name: str) -> jinja2.Template:
    """A page's template, strict and escaping."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["theme"] = page_style()
    environment.filters["shortened"] = lambda text: textwrap.shorten(text, 400, placeholder=" …")
    return environment.get_template(name)
