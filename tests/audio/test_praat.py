"""The height of a voice."""

import numpy as np
import pytest
from formant_synthesis import speak_phones

from voxgrad.audio.io import Waveform
from voxgrad.audio.praat import median_f0


@pytest.mark.parametrize("f0", [100.0, 150.0, 220.0])
def test_a_voice_has_the_height_that_it_speaks_at(f0):
    words = ["W", "IY1", "ER0", "AO1", "L", "R", "AY1", "T", "."]
    assert median_f0(speak_phones(words, seed=0, f0=f0)) == pytest.approx(f0, rel=0.07)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_the_height_of_a_pure_tone(rate):
    samples = (0.3 * np.sin(2 * np.pi * 200 * np.arange(rate) / rate)).astype(np.float32)
    assert median_f0(Waveform(samples, rate)) == pytest.approx(200, rel=0.01)


@pytest.mark.parametrize("length", [1, 100, 1102, 1103, 1200, 22050])
def test_what_has_no_height_gives_none(length):
    noise = np.random.default_rng(0).normal(0, 1e-3, length).astype(np.float32)
    assert median_f0(Waveform(np.zeros(length, np.float32), 22050)) is None
    assert length > 2000 or median_f0(Waveform(noise, 22050)) is None
