import numpy as np
import pytest
from formant_synthesis import speak_phones
from meter import examine

from voxgrad.audio.io import Waveform, resample, write_audio
from voxgrad.audio.loudness import level, limit, loudness

SPEECH = speak_phones(["HH", "EH", "L", "OW", "DH", "AH", "S", "AH", "N", "IH", "Z", "W", "AO", "R", "M"] * 3, seed=1)


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize(("lufs", "peak"), [(-16, -1), (-20, -3), (-14, -1)])
def test_speech_has_the_loudness_and_the_peak_that_are_asked_for(rate, lufs, peak, tmp_path):
    levelled = level(resample(SPEECH, rate), lufs, peak)
    said = np.pad(levelled.samples, rate // 10)  # as `say` writes it
    write_audio(tmp_path / "a.wav", Waveform(said, rate))
    found = examine(tmp_path / "a.wav")
    assert found.peak <= peak
    assert found.lufs == pytest.approx(lufs, abs=0.5)


def test_the_limiter_changes_only_what_is_near_a_peak():
    samples = np.full(22050, 0.1, np.float32)
    samples[11025] = 0.9
    limited = limit(Waveform(samples, 22050), -6.0).samples
    assert np.abs(limited).max() < 10 ** (-6 / 20)
    assert np.allclose(limited[:10000], 0.1, atol=1e-6)
    assert np.allclose(limited[12000:], 0.1, atol=1e-6)
    assert np.abs(np.diff(limited[11026:])).max() < 0.01  # without a step


@pytest.mark.parametrize("length", [0, 1, 100, 22050])
def test_silence_stays_silent(length):
    silence = Waveform(np.zeros(length, np.float32), 22050)
    assert not level(silence, -16, -1).samples.any()


def test_a_loudness_that_the_peak_forbids_is_approached():
    square = Waveform(np.sign(np.sin(np.arange(22050) * 0.05)).astype(np.float32) * np.float32(0.1), 22050)
    levelled = level(square, -10, -20)
    assert np.abs(levelled.samples).max() <= 0.1
    assert loudness(levelled) < -15
