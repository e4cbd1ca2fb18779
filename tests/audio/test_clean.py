"""Trimming, levelling, and the whole way from a recording to a clip."""

import numpy as np
import pytest
import soundfile

from voxgrad.audio.clean import clean
from voxgrad.audio.cut import trim
from voxgrad.audio.io import Waveform
from voxgrad.audio.level import amplify, level, level_gain, sounding_level
from voxgrad.audio.synthetic import speak_phones
from voxgrad.errors import BadInputError
from voxgrad.specs import AudioSpec

SPEC = AudioSpec()
WORDS = ["HH", "AH0", "L", "OW1", ",", "W", "ER1", "L", "D"]


def tone(seconds, amplitude=0.3, rate=22050):
    return amplitude * np.sin(2 * np.pi * 350 / rate * np.arange(round(rate * seconds)))


def with_silence(waveform, before, after, noise=1e-5):
    generator = np.random.default_rng(0)
    lead, tail = (round(seconds * waveform.rate) for seconds in (before, after))
    quiet = generator.normal(0, noise, lead + len(waveform.samples) + tail)
    quiet[lead : lead + len(waveform.samples)] += waveform.samples
    return Waveform(quiet.astype(np.float32), waveform.rate)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize(("before", "after"), [(0.5, 1.0), (1.0, 0.0), (0.0, 0.7)])
def test_silence_at_the_ends_is_cut_and_a_margin_is_kept(rate, before, after):
    sound = Waveform(tone(1.0, rate=rate).astype(np.float32), rate)
    trimmed = trim(with_silence(sound, before, after), SPEC)
    loud = np.flatnonzero(np.abs(trimmed.samples) > 0.1)
    # Praat's window of 64 ms hears a sudden sound up to 32 ms before it is there.
    assert min(before, 0.05) - 0.01 <= loud[0] / rate <= min(before, 0.09) + 0.001
    assert min(after, 0.05) - 0.01 <= trimmed.seconds - loud[-1] / rate <= min(after, 0.09) + 0.001
    assert loud[-1] - loud[0] == pytest.approx(rate, abs=0.01 * rate)


def test_the_pause_inside_is_kept():
    speech = trim(speak_phones(["AA1"], seed=1), SPEC)
    gap = np.zeros(speech.rate, np.float32)
    both = Waveform(np.concatenate([speech.samples, gap, speech.samples]), speech.rate)
    assert trim(both, SPEC).seconds == pytest.approx(both.seconds, abs=0.05)


def test_the_margin_is_that_of_the_settings():
    long = with_silence(speak_phones(WORDS, seed=1), 1.0, 1.0)
    narrow = trim(long, AudioSpec(trim_margin=0.0)).seconds
    assert trim(long, AudioSpec(trim_margin=0.2)).seconds == pytest.approx(narrow + 0.4, abs=0.01)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.02, 0.05, 0.063, 0.064, 0.065, 0.074, 0.075, 0.08, 0.2])
def test_a_short_clip_never_fails_nor_vanishes(rate, seconds):
    samples = np.random.default_rng(0).normal(0, 0.1, max(1, round(rate * seconds))).astype(np.float32)
    trimmed = trim(Waveform(samples, rate), SPEC)
    assert len(trimmed.samples) > 0
    if seconds <= 0.064:
        np.testing.assert_array_equal(trimmed.samples, samples)


def test_a_click_in_silence_remains():
    samples = np.zeros(22050, np.float32)
    samples[11000] = 0.9
    trimmed = trim(Waveform(samples, 22050), AudioSpec(trim_margin=0.0))
    assert 0 < trimmed.seconds < 0.2
    assert trimmed.samples.max() == np.float32(0.9)


def test_the_level_counts_what_sounds_and_not_the_pauses():
    speech = speak_phones(["AA1", "IY1"], seed=1)
    paused = with_silence(speech, 0.0, 3.0)
    assert sounding_level(paused, -40) == pytest.approx(sounding_level(speech, -40), abs=0.3)


@pytest.mark.parametrize("gain", [0.001, 0.1, 1.9])
def test_every_clip_comes_to_the_same_level(gain):
    speech = speak_phones(WORDS, seed=1)
    quiet = Waveform((speech.samples * gain).astype(np.float32), speech.rate)
    levelled = level(quiet, SPEC)
    assert sounding_level(levelled, SPEC.trim_threshold_db) == pytest.approx(SPEC.level_dbfs, abs=0.01)


def test_the_peak_limit_holds():
    speech = speak_phones(WORDS, seed=1)
    spec = AudioSpec(level_dbfs=-3.0, peak_dbfs=-6.0)
    assert np.abs(level(speech, spec).samples).max() == pytest.approx(10 ** (-6 / 20), rel=1e-4)
    np.testing.assert_allclose(level(speech, spec).samples, amplify(speech, level_gain(speech, spec)).samples)


def test_an_offset_does_not_count_as_sound():
    speech = speak_phones(WORDS, seed=1)
    shifted = Waveform((speech.samples + 0.2).astype(np.float32), speech.rate)
    assert sounding_level(shifted, -40) == pytest.approx(sounding_level(speech, -40), abs=0.1)


@pytest.mark.parametrize("length", [1, 3, 100, 22050])
def test_silence_has_no_level(length):
    with pytest.raises(BadInputError, match="silent"):
        level(Waveform(np.zeros(length, np.float32), 22050), SPEC)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22050, 2), (48000, 2), (96000, 1)])
def test_clean_gives_a_levelled_clip_at_the_rate_of_the_mel(tmp_path, rate, channels):
    path = tmp_path / "take.wav"
    speech = speak_phones(WORDS * 3, seed=2)
    time = np.arange(round(speech.seconds * rate)) / rate
    there = np.interp(time, np.arange(len(speech.samples)) / speech.rate, speech.samples)
    silence = np.zeros(rate)
    samples = 0.1 * np.concatenate([silence, there, silence])
    soundfile.write(path, np.stack([samples] * channels, axis=1), rate)
    cleaned = clean(path, SPEC)
    assert cleaned.waveform.rate == 22050
    assert (cleaned.rate, cleaned.channels) == (rate, channels)
    assert cleaned.trimmed == pytest.approx(2.0, abs=0.4)
    assert cleaned.waveform.seconds + cleaned.trimmed == pytest.approx(len(samples) / rate, abs=0.01)
    assert cleaned.gain > 3
    assert sounding_level(cleaned.waveform, -40) == pytest.approx(SPEC.level_dbfs, abs=0.01)


def test_clean_can_leave_the_silence(tmp_path):
    path = tmp_path / "take.wav"
    sound = with_silence(speak_phones(WORDS, seed=2), 1.0, 1.0)
    soundfile.write(path, sound.samples, sound.rate)
    cleaned = clean(path, AudioSpec(trim=False))
    assert cleaned.trimmed == 0
    assert cleaned.waveform.seconds == pytest.approx(sound.seconds)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (tone(0.02), "a clip needs 0.3 s"),
        (np.concatenate([np.zeros(22050), tone(0.1), np.zeros(22050)]), "a clip needs 0.3 s"),
        (tone(15.1), "lasts 15.1 s"),
        (tone(31), "lasts 31.0 s"),
        (tone(1, amplitude=2e-4), "as good as silent"),
        (0.2 + tone(1, amplitude=2e-4), "as good as silent"),
        (np.zeros(22050), "is silent"),
        (np.full(22050, np.nan), "not finite"),
    ],
)
def test_clean_says_why_it_refuses(tmp_path, samples, reason):
    path = tmp_path / "odd.wav"
    soundfile.write(path, samples, 22050, subtype="FLOAT")
    with pytest.raises(BadInputError, match=reason) as caught:
        clean(path, SPEC)
    assert str(path) in caught.value.message


def test_a_long_silence_around_a_clip_is_no_reason_to_refuse_it(tmp_path):
    path = tmp_path / "take.wav"
    soundfile.write(path, np.concatenate([np.zeros(22050 * 10), tone(10)]), 22050)
    assert clean(path, SPEC).waveform.seconds == pytest.approx(10, abs=0.2)
