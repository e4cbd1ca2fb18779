"""The height of a voice, rooms that sound on, and noise that is suppressed."""

import numpy as np
import pytest
from formant_synthesis import speak_phones

from voxgrad.audio import clean as module
from voxgrad.audio.clean import denoise, require_denoiser
from voxgrad.audio.io import Waveform
from voxgrad.audio.measures import decay_times, snr
from voxgrad.audio.praat import median_f0
from voxgrad.errors import BadInputError


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


RATE = 22050


def bursts(t60: float) -> Waveform:
    """Noise that stops three times, in a room."""
    draw = np.random.default_rng(0)
    burst = np.concatenate([draw.normal(0, 0.1, RATE // 4), np.zeros(RATE)])
    sound = np.tile(burst, 3)
    if t60:
        times = np.arange(int(1.2 * t60 * RATE)) / RATE
        sound = np.convolve(sound, draw.normal(0, 0.05, len(times)) * 10 ** (-3 * times / t60))
    sound += draw.normal(0, 1e-5, len(sound))
    return Waveform(sound.astype(np.float32), RATE)


@pytest.mark.parametrize("t60", [0.2, 0.4, 0.8])
def test_the_reverberation_time_is_measured(t60: float):
    found = decay_times(bursts(t60))
    assert len(found) >= 3
    assert np.median(found) == pytest.approx(t60, rel=0.15)


def test_a_dry_stop_is_short():
    assert all(time < 0.15 for time in decay_times(bursts(0.0)))


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.zeros(1), np.ones(600), np.zeros(0)])
def test_what_never_fades_has_none(samples: np.ndarray):
    assert decay_times(Waveform(samples.astype(np.float32), RATE)) == []


def test_noise_is_suppressed_and_nothing_is_moved():
    pytest.importorskip("pyrnnoise", reason="pyrnnoise is an extra")
    from formant_synthesis import speak_phones

    speech = speak_phones(("DH", "AH0", "S", "AH1", "N", "IH0", "Z", "W", "AO1", "R", "M"), 0).samples
    clean = np.concatenate([np.zeros(RATE), speech, np.zeros(RATE)]).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 0.01, len(clean)).astype(np.float32)
    noisy = Waveform(clean + noise, RATE)
    found = denoise(noisy)
    assert len(found.samples) == len(clean)
    assert snr(found) > snr(noisy) + 6
    lags = range(-300, 301, 10)
    products = [np.dot(clean[400:-400], np.roll(found.samples, lag)[400:-400]) for lag in lags]
    assert abs(lags[int(np.argmax(products))]) <= 10


def test_without_the_package_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(BadInputError) as caught:
        require_denoiser()
    assert caught.value.hint == "Install it: pip install 'voxgrad[denoise]'."
