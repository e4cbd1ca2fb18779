"""Speech recognition for recordings without a transcript: whatever recogniser is installed."""

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.errors import BadInputError, EnvironmentFailureError

_RATE = 16000
_MODEL = "base.en"
_PACKAGES = {"faster-whisper": "faster_whisper", "pocketsphinx": "pocketsphinx"}
"""The better one first."""


def choose_recogniser(wanted: str) -> str:
    """Names a recogniser that is installed.

    Args:
        wanted: ``auto``, ``faster-whisper`` or ``pocketsphinx``.

    Raises:
        BadInputError: it is not installed, or none is.
    """
    candidates = list(_PACKAGES) if wanted == "auto" else [wanted]
    for name in candidates:
        if name in _PACKAGES and find_spec(_PACKAGES[name]) is not None:
            return name
    missing = " nor ".join(candidates)
    raise BadInputError(
        f"{'neither ' if len(candidates) > 1 else ''}{missing} is installed",
        "Install one: pip install 'voxgrad[whisper]' or 'voxgrad[pocketsphinx]'.",
    )


def recognise(name: str, waveform: Waveform) -> str:
    """Writes down what is said.

    Raises:
        BadInputError: nothing was understood.
        EnvironmentFailureError: the recogniser does not work here, such as without its model.
    """
    text = hear(name, waveform)
    if not text:
        raise BadInputError(f"{name} recognised nothing", "Write down what is said, or leave it out.")
    return text


def hear(name: str, waveform: Waveform) -> str:
    """The same; empty where nothing was understood.

    Raises:
        EnvironmentFailureError: see :func:`recognise`.
    """
    samples = resample(waveform, _RATE).samples
    try:
        return _recogniser(name)(samples)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise EnvironmentFailureError(f"{name} failed ({reason})", "Try another --transcribe.") from error


@lru_cache(maxsize=2)
def _recogniser(name: str) -> Callable[[Samples], str]:
    """What turns samples at 16 kHz into text; its model is loaded once in every process."""
    module: Any = import_module(_PACKAGES[name])
    return _whisper(module) if name == "faster-whisper" else _pocketsphinx(module)


def _whisper(module: Any) -> Callable[[Samples], str]:
    model = module.WhisperModel(_MODEL, device="cpu", compute_type="int8", cpu_threads=1)

    def transcribe(samples: Samples) -> str:
        segments, _ = model.transcribe(samples, language="en", beam_size=5)
        return " ".join(segment.text.strip() for segment in segments)

    return transcribe


def _pocketsphinx(module: Any) -> Callable[[Samples], str]:
    decoder = module.Decoder(samprate=_RATE, loglevel="FATAL")

    def transcribe(samples: Samples) -> str:
        decoder.start_utt()
        decoder.process_raw(_sixteen_bits(samples), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return "" if found is None else str(found.hypstr).capitalize() + "."

    return transcribe


def sphinx_samples(waveform: Waveform) -> bytes:
    """Audio as pocketsphinx takes it: 16 bits at 16 kHz."""
    return _sixteen_bits(resample(waveform, _RATE).samples)


def _sixteen_bits(samples: Samples) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
