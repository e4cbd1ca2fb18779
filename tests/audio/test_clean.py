"""Trimming, levelling, and the whole way from a recording to a clip."""

import numpy as np
import pytest
import soundfile
from formant_synthesis import speak_phones

from voxgrad.audio.clean import clean, part, speech_span
from voxgrad.audio.io import Waveform, resample
from voxgrad.audio.loudness import amplify, level_gain, loudness, true_peak
from voxgrad.audio.measures import clipped_share, measure
from voxgrad.errors import BadInputError
from voxgrad.settings import AudioSpec

SPEC = AudioSpec()
WORDS = ["HH", "AH0", "L", "OW1", ",", "W", "ER1", "L", "D"]


def trim(waveform, spec):
    return part(waveform, speech_span(waveform, spec))


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


@pytest.mark.parametrize("gain", [0.001, 0.1, 1.9])
def test_every_clip_comes_to_the_same_loudness(gain):
    speech = speak_phones(WORDS, seed=1)
    quiet = Waveform((speech.samples * gain).astype(np.float32), speech.rate)
    measured = loudness(quiet)
    if not np.isfinite(measured):
        assert gain == 0.001
        return
    assert loudness(amplify(quiet, level_gain(quiet, measured, SPEC))) == pytest.approx(-23, abs=0.05)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.4, 1.0])
def test_a_short_tone_has_the_loudness_of_a_long_one(seconds):
    sound = Waveform(tone(seconds).astype(np.float32), 22050)
    assert loudness(sound) == pytest.approx(loudness(Waveform(tone(5).astype(np.float32), 22050)), abs=0.3)


def test_the_limit_of_true_peaks_holds():
    speech = speak_phones(WORDS, seed=1)
    spec = AudioSpec(loudness_lufs=-3.0, true_peak_dbtp=-6.0)
    levelled = amplify(speech, level_gain(speech, loudness(speech), spec))
    assert true_peak(levelled) == pytest.approx(-6, abs=0.01)
    assert np.abs(levelled.samples).max() <= 10 ** (-6 / 20)


def test_a_peak_between_samples_is_found():
    # A quarter of the rate, sampled 45 degrees off its peaks: the samples stay 3 dB below them.
    samples = 0.5 * np.sin(np.pi / 2 * np.arange(4000) + np.pi / 4)
    assert true_peak(Waveform(samples.astype(np.float32), 22050)) == pytest.approx(-6.02, abs=0.2)


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
    assert (cleaned.source.rate, cleaned.source.channels) == (rate, channels)
    trimmed = cleaned.leading + cleaned.trailing
    assert trimmed == pytest.approx(2.0, abs=0.4)
    assert cleaned.waveform.seconds + trimmed == pytest.approx(len(samples) / rate, abs=0.01)
    assert cleaned.gain > 3
    assert loudness(cleaned.waveform) == pytest.approx(-23, abs=0.05)


def test_clean_can_leave_the_silence(tmp_path):
    path = tmp_path / "take.wav"
    sound = with_silence(speak_phones(WORDS, seed=2), 1.0, 1.0)
    soundfile.write(path, sound.samples, sound.rate)
    cleaned = clean(path, AudioSpec(trim=False))
    assert cleaned.leading == cleaned.trailing == 0
    assert cleaned.waveform.seconds == pytest.approx(sound.seconds)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (tone(0.02), "a clip needs 0.3 s"),
        (np.concatenate([np.zeros(22050), tone(0.1), np.zeros(22050)]), "a clip needs 0.3 s"),
        (tone(15.1), "lasts 15.1 s"),
        (tone(31), "lasts 31.0 s"),
        (tone(1, amplitude=2e-4), "almost silent"),
        (0.2 + tone(1, amplitude=2e-4), "almost silent"),
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


def test_rumble_is_filtered_off_and_a_deep_voice_is_not(tmp_path):
    speech = speak_phones(WORDS * 3, seed=2, f0=75.0)
    hum = 0.3 * np.sin(2 * np.pi * 20 / 22050 * np.arange(len(speech.samples)))
    soundfile.write(tmp_path / "clean.wav", speech.samples, 22050)
    soundfile.write(tmp_path / "rumble.wav", 0.5 * speech.samples + hum, 22050)
    clean_one, rumbling = (clean(tmp_path / f"{name}.wav", SPEC) for name in ("clean", "rumble"))
    assert rumbling.source.high_passed
    assert not clean_one.source.high_passed
    spectrum = np.abs(np.fft.rfft(rumbling.waveform.samples))
    frequencies = np.fft.rfftfreq(len(rumbling.waveform.samples), 1 / 22050)
    assert spectrum[frequencies < 25].max() < 0.5 * spectrum[(frequencies > 100) & (frequencies < 1000)].max()


@pytest.mark.parametrize(("rate", "bandwidth"), [(8000, 4000), (16000, 8000), (44100, 11025)])
def test_an_upsampled_recording_is_found(tmp_path, rate, bandwidth):
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * rate).astype(np.float32)
    upsampled = resample(Waveform(noise, rate), 22050)
    soundfile.write(tmp_path / "noise.wav", upsampled.samples, 22050, subtype="PCM_24")
    assert clean(tmp_path / "noise.wav", SPEC).measures.bandwidth_hz == pytest.approx(bandwidth, rel=0.07)


def test_the_measures_are_those_of_the_sound():
    time = np.arange(2 * 22050) / 22050
    pulses = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20)) * (np.sin(np.pi * time) ** 2)
    noise = np.random.default_rng(0).normal(0, 1, len(time))
    voice = Waveform((0.1 * pulses + 1e-4 * noise).astype(np.float32), 22050)
    found = measure(voice, voice, resample(voice, 16000), loudness(voice))
    assert found.f0_hz == pytest.approx(150, abs=1)
    assert found.f0_low_hz <= found.f0_hz <= found.f0_high_hz
    assert found.harmonicity_db > 20
    assert found.snr_db > 20
    hiss = Waveform(noise.astype(np.float32) * np.float32(0.1), 22050)
    assert measure(hiss, hiss, resample(hiss, 16000), -20.0).snr_db < 3


@pytest.mark.parametrize(("limit", "expected"), [(0.2, True), (1.0, False)])
def test_clipping_is_found_at_any_level(limit, expected):
    speech = speak_phones(WORDS, seed=1).samples
    clipped = np.clip(speech, -limit * np.abs(speech).max(), limit * np.abs(speech).max())
    assert (clipped_share(0.3 * clipped) > 1e-3) == expected
