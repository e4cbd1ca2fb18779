"""Self-contained HTML pages: audio and pictures as data URLs, and templates."""

import base64
import io
import textwrap
from functools import lru_cache
from pathlib import Path

import jinja2
import matplotlib as mpl
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

_MEL_QUALITY = 60


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
    colours: NDArray[np.uint8] = (mpl.colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8)
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
