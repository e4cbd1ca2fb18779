"""Noise suppression by RNNoise (Valin, 2018), whose network comes with the package pyrnnoise."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from voxgrad.audio.io import Waveform, resample
from voxgrad.errors import BadInputError

_RATE = 48000


def require_denoiser() -> None:
    """See that noise can be suppressed.

    Raises:
        BadInputError: pyrnnoise is not installed.
    """
    if find_spec("pyrnnoise") is None:
        raise BadInputError("pyrnnoise is not installed", "Install it: pip install 'voxgrad[denoise]'.")


def denoise(waveform: Waveform) -> Waveform:
    """Suppress steady and sudden noise; rate, length and place in time stay as they are."""
    rnnoise: Any = import_module("pyrnnoise.rnnoise")
    samples = resample(waveform, _RATE).samples
    size = rnnoise.FRAME_SIZE
    # Sound comes out two frames later, in 16 bits.
    frames = np.pad(samples, (0, 2 * size + -len(samples) % size)).reshape(-1, size)
    whole = (np.clip(frames, -1, 1) * 32767).astype(np.int16)
    state = rnnoise.create()
    try:
        clean = np.concatenate([rnnoise.process_mono_frame(state, frame)[0] for frame in whole])
    finally:
        rnnoise.destroy(state)
    clean = clean[2 * size : 2 * size + len(samples)].astype(np.float32) / np.float32(32767)
    back = resample(Waveform(clean, _RATE), waveform.rate).samples
    return Waveform(np.resize(back, len(waveform.samples)).astype(np.float32), waveform.rate)
