"""Pictures of mels, alignments and curves: PNG files readable at 900 pixels, and parts of self-contained HTML pages."""

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import jinja2
import matplotlib as mpl
import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from voxgrad.settings import MelSpec

_DPI = 100
_COLOURS = "magma"
_MEL_QUALITY = 60


def draw_mel(path: Path, mel: NDArray[np.float32], spec: MelSpec, title: str) -> None:
    """Draws a log-mel (n_mels, frames) with its text above."""
    figure, axes = _figure(1, 3.0)
    _mel(axes[0], mel, spec)
    axes[0].set_title(_shortened(title), loc="left", fontsize=10)
    figure.savefig(path)


def draw_alignment(
    path: Path,
    mel: NDArray[np.float32],
    mean: NDArray[np.float32],
    phones: Sequence[str],
    durations: Sequence[int],
    spec: MelSpec,
    title: str,
) -> None:
    """Draws a recording's mel and the mean along the alignment below it, both with the borders of the phones.

    Of every token come a label, which may be empty, and its frames.
    """
    figure, axes = _figure(2, 5.2)
    border = np.concatenate([[0], np.cumsum(durations)]) * spec.seconds_per_frame
    for axis, picture, label in ((axes[0], mel, "recording"), (axes[1], mean, "mu, aligned")):
        _mel(axis, picture, spec)
        axis.set_ylabel(label, fontsize=9)
        for phone, start in zip(phones, border[:-1], strict=True):
            if phone.strip():
                axis.axvline(float(start), color="white", linewidth=0.4, alpha=0.7)
    for phone, start, stop in zip(phones, border[:-1], border[1:], strict=True):
        if phone.strip():
            middle = float(start + stop) / 2
            style = {"color": "white", "fontsize": 6, "ha": "center", "va": "top", "rotation": 90}
            axes[1].text(middle, spec.n_mels - 2, phone, style)
    axes[0].set_title(_shortened(title), loc="left", fontsize=10)
    figure.savefig(path)


Curve = tuple[Sequence[int], Sequence[float]]
"""Steps and values."""


def draw_curves(path: Path, panels: Mapping[str, Mapping[str, Curve]], title: str) -> None:
    """Draws one small panel for every name, with its labelled curves."""
    figure, axes = _figure(max(1, len(panels)), 0.6 + 1.9 * max(1, len(panels)))
    for axis, (name, curves) in zip(axes, panels.items(), strict=False):
        for label, (steps, values) in curves.items():
            axis.plot(steps, values, linewidth=1.0, marker="o" if len(steps) < 40 else "", markersize=3, label=label)
        axis.set_ylabel(name, fontsize=9)
        axis.grid(visible=True, linewidth=0.3)
        axis.legend(fontsize=8, frameon=False)
    axes[-1].set_xlabel("step", fontsize=9)
    axes[0].set_title(_shortened(title), loc="left", fontsize=10)
    figure.savefig(path)


def _figure(rows: int, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure and its axes, row by row; those of a single column share what they show across."""
    figure = Figure(figsize=(9.0, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, sharex=columns == 1, squeeze=False).flat)
    for axis in axes:
        axis.tick_params(labelsize=8)
    return figure, axes


def _mel(axis: Axes, mel: NDArray[np.float32], spec: MelSpec) -> None:
    seconds = mel.shape[1] * spec.seconds_per_frame
    extent = (0.0, seconds, 0.0, float(spec.n_mels))
    axis.imshow(mel, origin="lower", aspect="auto", cmap=_COLOURS, extent=extent)
    axis.set_xlabel("seconds", fontsize=9)
    axis.set_ylabel("mel band", fontsize=9)


def _shortened(title: str, limit: int = 110) -> str:
    # A dollar sign would begin a formula.
    title = title.replace("$", r"\$")
    return title if len(title) <= limit else title[: limit - 1] + "…"


def draw_coverage(path: Path, phones: Sequence[str], here: Sequence[float], english: Sequence[float]) -> None:
    """Draws how many of a thousand phones each phone is, here and in English."""
    figure, axes = _figure(1, 3.0)
    places = np.arange(len(phones))
    axes[0].bar(places - 0.2, here, 0.4, label="here")
    axes[0].bar(places + 0.2, english, 0.4, label="English")
    axes[0].set_xticks(places, phones, fontsize=7, rotation=90)
    axes[0].set_ylabel("of 1000 phones", fontsize=9)
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(path)


def draw_distributions(path: Path, values: Mapping[str, Sequence[float]]) -> None:
    """Draws a histogram for every name, two in a row."""
    figure, axes = _figure(2, 4.4, columns=2)
    for axis, (name, numbers) in zip(axes, values.items(), strict=False):
        axis.hist(numbers, bins=30)
        axis.set_xlabel(name, fontsize=9)
        axis.set_ylabel("clips", fontsize=9)
    figure.savefig(path)


def draw_compared(path: Path, rows: Sequence[Mapping[str, NDArray[np.float32]]], spec: MelSpec) -> None:
    """Draws mels side by side: a line for each sentence, a labelled column for each speaker."""
    figure, axes = _figure(len(rows), 0.5 + 1.9 * len(rows), columns=len(rows[0]))
    labelled = (named for mels in rows for named in mels.items())
    for axis, (name, mel) in zip(axes, labelled, strict=True):
        _mel(axis, mel, spec)
        axis.set_title(name, fontsize=9)
    figure.savefig(path)


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


@lru_cache(maxsize=1)
def _colours() -> NDArray[np.uint8]:
    """(256, 3)."""
    colours: NDArray[np.uint8] = (mpl.colormaps[_COLOURS](np.arange(256))[:, :3] * 255).astype(np.uint8)
    return colours


def png(path: Path) -> str:
    """A picture's file as data."""
    return _data(path.read_bytes(), "image/png")


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
    environment.filters["shortened"] = lambda text: textwrap.shorten(text, 400, placeholder=" …")
    return environment.get_template(name)
