"""Speech recognition for recordings without a transcript: whatever recogniser is installed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from voxgrad.audio.io import Samples, Waveform, resample
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.files import sha256_of
from voxgrad.text.symbols import ENGLISH

_RATE = 16000
_MODELS = {True: "base.en", False: "base"}
"""Of Whisper, for English and for all languages."""
_MODEL_FILES = ("model.bin", "config.json", "tokenizer.json")
_PACKAGES = {"faster-whisper": "faster_whisper", "pocketsphinx": "pocketsphinx"}
"""The better one first."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A speech recogniser."""

    name: str
    """``faster-whisper`` or ``pocketsphinx``."""
    model: Path | None = None
    """The folder of a converted Whisper; None: its base model, which is downloaded once."""
    language: str = ENGLISH
    """What is spoken."""

    @property
    def settings(self) -> dict[str, str]:
        """What its texts depend on: the content of the model, not its path."""
        spoken = {} if self.language == ENGLISH else {"recognised_language": self.language}
        if self.model is None:
            return {"recogniser": self.name, **spoken}
        return {"recogniser": self.name, "model": sha256_of(self.model / "model.bin"), **spoken}


@dataclass(frozen=True, slots=True)
class Heard:
    """The recognised text."""

    text: str
    """With punctuation and case as the recogniser writes them; empty where nothing was understood."""
    log_probability: float | None
    """Mean over its tokens; None where the recogniser does not say."""


def choose_recogniser(wanted: str, model: Path | None = None, language: str = ENGLISH) -> Recogniser:
    """Finds an installed recogniser; ``auto`` means any that knows the language.

    Raises:
        BadInputError: it is not installed, or no recogniser is; the folder does not hold a converted Whisper.
    """
    if model is not None:
        missing_files = [name for name in _MODEL_FILES if not (model / name).is_file()]
        if missing_files:
            raise BadInputError(
                f"{model} has no {missing_files[0]}, which a converted Whisper needs",
                "Convert one with ct2-transformers-converter, and copy its tokenizer.json.",
            )
        if wanted == "pocketsphinx":
            raise BadInputError("--model applies to Whisper, not to pocketsphinx", "Leave one of the two out.")
    if wanted == "pocketsphinx" and language != ENGLISH:
        raise BadInputError("pocketsphinx knows only English", "Use faster-whisper.")
    only_whisper = model is not None or language != ENGLISH
    candidates = [wanted] if wanted != "auto" else ["faster-whisper"] if only_whisper else list(_PACKAGES)
    for name in candidates:
        if name in _PACKAGES and find_spec(_PACKAGES[name]) is not None:
            return Recogniser(name, model, language)
    missing = " nor ".join(candidates)
    raise BadInputError(
        f"{'neither ' if len(candidates) > 1 else ''}{missing} is installed",
        "Install it: pip install 'voxgrad[whisper]'."
        if only_whisper
        else "Install one: pip install 'voxgrad[whisper]' or 'voxgrad[pocketsphinx]'.",
    )


def installed_recogniser(wanted: str, language: str = ENGLISH) -> Recogniser | None:
    """Choose a recogniser as `choose_recogniser` does; None where it is not installed."""
    with suppress(BadInputError):
        return choose_recogniser(wanted, language=language)
    return None


def best_recogniser(language: str = ENGLISH, *, download: bool) -> Recogniser | None:
    """Whisper where its model is on this machine, or can be downloaded; else pocketsphinx; None where neither is."""
    with suppress(BadInputError, OSError, RuntimeError, ValueError):
        choose_recogniser("faster-whisper")
        name = _MODELS[language == ENGLISH]
        folder = import_module("faster_whisper").download_model(name, local_files_only=not download)
        return Recogniser("faster-whisper", Path(folder), language)
    return installed_recogniser("pocketsphinx", language)


def recognise(recogniser: Recogniser, waveform: Waveform) -> Heard:
    """Transcribes a recording.

    Raises:
        BadInputError: nothing was understood.
        EnvironmentFailureError: the recogniser does not work here, such as without its model.
    """
    heard = hear(recogniser, waveform)
    if not heard.text:
        raise BadInputError(
            f"{recogniser.name} recognised nothing", "Write the text yourself, or remove the recording."
        )
    return heard


def hear(recogniser: Recogniser, waveform: Waveform) -> Heard:
    """As `recognise`, but with an empty text if nothing was understood."""
    samples = resample(waveform, _RATE).samples
    try:
        return _loaded(recogniser)(samples)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        mend = "Try another --transcribe." if recogniser.model is not None else _OFFLINE
        raise EnvironmentFailureError(f"{recogniser.name} failed ({reason})", mend) from error


_OFFLINE = "Try another --transcribe; without a network, give a converted Whisper with --model DIR."


@lru_cache(maxsize=2)
def _loaded(recogniser: Recogniser) -> Callable[[Samples], Heard]:
    """What turns samples at 16 kHz into text; its model is loaded once in every process."""
    module: Any = import_module(_PACKAGES[recogniser.name])
    return _whisper(module, recogniser) if recogniser.name == "faster-whisper" else _pocketsphinx(module)


def _whisper(module: Any, recogniser: Recogniser) -> Callable[[Samples], Heard]:
    name = _MODELS[recogniser.language == ENGLISH] if recogniser.model is None else str(recogniser.model)
    model = module.WhisperModel(name, device="cpu", compute_type="int8", cpu_threads=1)

    def transcribe(samples: Samples) -> Heard:
        found, _ = model.transcribe(samples, language=recogniser.language, beam_size=5)
        segments = list(found)
        text = " ".join(segment.text.strip() for segment in segments)
        # Segments of one window share its mean; of several, the worst tells most.
        return Heard(text, min((round(segment.avg_logprob, 3) for segment in segments), default=None))

    return transcribe


def _pocketsphinx(module: Any) -> Callable[[Samples], Heard]:
    decoder = module.Decoder(samprate=_RATE, loglevel="FATAL")

    def transcribe(samples: Samples) -> Heard:
        decoder.start_utt()
        decoder.process_raw(_sixteen_bits(samples), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return Heard("" if found is None else str(found.hypstr).capitalize() + ".", None)

    return transcribe


def sphinx_samples(waveform: Waveform) -> bytes:
    """Audio in the format of pocketsphinx: 16 bits at 16 kHz."""
    return _sixteen_bits(resample(waveform, _RATE).samples)


def _sixteen_bits(samples: Samples) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
