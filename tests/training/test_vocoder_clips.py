"""Copies of clips: pitch, formants, speed and equalisation."""

import numpy as np
import pytest
from formant_synthesis import speak_phones

from voxgrad.audio.io import Waveform
from voxgrad.audio.praat import median_f0
from voxgrad.errors import BadInputError
from voxgrad.training.vocoder_clips import equalised, respeed, shifted

WORDS = "DH AH0 . S AH1 N IH1 Z W AO1 R M . R EY1 N AO1 L D EY1 ."
SPOKEN = speak_phones(WORDS.split(), seed=3, f0=160)


def noise(seconds: float, rate: int = 22050) -> Waveform:
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate))
    return Waveform(samples.astype(np.float32), rate)


def decibels(waveform: Waveform, low: float, high: float) -> float:
    power = np.abs(np.fft.rfft(waveform.samples)) ** 2
    frequencies = np.fft.rfftfreq(len(waveform.samples), 1 / waveform.rate)
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].mean()))


@pytest.mark.parametrize("formants", [0.85, 1.0, 1.2])
@pytest.mark.parametrize("pitch", [0.6, 1.0, 1.5])
def test_pitch_moves_and_time_stays(pitch, formants):
    other = shifted(SPOKEN, pitch, formants)
    assert other.rate == SPOKEN.rate
    assert other.samples.shape == SPOKEN.samples.shape
    assert np.isfinite(other.samples).all()
    assert median_f0(other) == pytest.approx(median_f0(SPOKEN) * pitch, rel=0.05)


def test_formants_move():
    tilt = {
        factor: decibels(shifted(SPOKEN, 1.0, factor), 300, 700) - decibels(shifted(SPOKEN, 1.0, factor), 700, 1600)
        for factor in (0.85, 1.2)
    }
    assert tilt[0.85] > tilt[1.2] + 1


def test_formants_that_move_down_leave_no_hole_at_the_top():
    lower = shifted(noise(1.0), 1.0, 0.85)
    assert decibels(lower, 9600, 11000) == pytest.approx(decibels(noise(1.0), 9600, 11000), abs=0.5)


def test_unvoiced_clip_moves_its_formants_only():
    hiss = noise(2.0)
    spectrum = np.fft.rfft(hiss.samples)
    spectrum[len(spectrum) // 2 :] *= 0.01
    hiss = Waveform(np.fft.irfft(spectrum).astype(np.float32), hiss.rate)
    other = shifted(hiss, 0.6, 0.8)
    assert other.samples.shape == hiss.samples.shape
    assert median_f0(other) is None
    assert decibels(hiss, 4600, 5300) - decibels(other, 4600, 5300) > 20


@pytest.mark.parametrize("seconds", [0.06, 0.061, 0.1])
@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_shortest_clips_can_be_shifted(seconds, rate):
    time = np.arange(np.ceil(seconds * rate)) / rate
    tone = Waveform(np.sin(2 * np.pi * 200 * time).astype(np.float32), rate)
    assert shifted(tone, 0.6, 0.85).samples.shape == tone.samples.shape


def test_silence_stays_silent():
    silence = Waveform(np.zeros(22050, np.float32), 22050)
    assert not shifted(silence, 0.6, 0.85).samples.any()
    assert not equalised(silence, np.random.default_rng(0)).samples.any()


@pytest.mark.parametrize("length", [0, 1, 1000])
def test_too_short_is_refused(length):
    with pytest.raises(BadInputError, match="too short to be shifted"):
        shifted(Waveform(np.zeros(length, np.float32), 22050), 1.0, 1.0)


def test_equalisation_is_gentle_and_repeatable():
    sound = noise(2.0)
    curves = []
    for seed in range(20):
        other = equalised(sound, np.random.default_rng(seed))
        assert other.samples.shape == sound.samples.shape
        bands = [(60, 125), (400, 600), (1600, 2400), (7500, 8500), (9000, 11000)]
        curves.append([decibels(other, *band) - decibels(sound, *band) for band in bands])
    assert np.abs(curves).max() < 6.2
    assert np.std(curves, axis=0).min() > 2
    again = equalised(sound, np.random.default_rng(0))
    assert np.array_equal(again.samples, equalised(sound, np.random.default_rng(0)).samples)


def test_equalisation_has_no_delay():
    click = np.zeros(22050, np.float32)
    click[5000] = 1
    for seed in range(5):
        other = equalised(Waveform(click, 22050), np.random.default_rng(seed)).samples
        assert np.abs(other).argmax() == 5000
        assert np.square(other[4500:5500]).sum() > 0.99 * np.square(other).sum()


@pytest.mark.parametrize("speed", [0.9, 0.987, 1.0, 1.1])
def test_speed_changes_length_and_pitch(speed):
    other = respeed(SPOKEN, speed)
    assert other.rate == SPOKEN.rate
    assert other.seconds == pytest.approx(SPOKEN.seconds / round(speed, 2), abs=1e-3)
    assert median_f0(other) == pytest.approx(median_f0(SPOKEN) * speed, rel=0.03)
