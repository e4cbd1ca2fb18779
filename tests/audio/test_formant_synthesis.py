"""The speech that we make ourselves, and the height of a voice."""

import numpy as np
import pytest
import torch

from voxgrad.audio.formant_synthesis import speak_phones
from voxgrad.audio.io import Waveform
from voxgrad.audio.mel import log_mel
from voxgrad.audio.praat import median_f0
from voxgrad.errors import BadInputError
from voxgrad.settings import MelSpec

VOWELS = "AA,AE,AH,AO,AW,AY,EH,ER,EY,IH,IY,OW,OY,UH,UW"
CONSONANTS = "B,CH,D,DH,F,G,HH,JH,K,L,M,N,NG,P,R,S,SH,T,TH,V,W,Y,Z,ZH"


PHONES = f"{VOWELS},{CONSONANTS}".split(",")


def mean_mel(phone, seed):
    sound = speak_phones([f"{phone}1", f"{phone}1", f"{phone}1"], seed)
    # Without the level, so that phones are told apart by their colour.
    mel = log_mel(torch.from_numpy(sound.samples), MelSpec()).mean(-1)
    return mel - mel.mean()


def test_the_same_arguments_give_the_same_samples_and_others_do_not():
    words = ["S", "AH0", "N"]
    first = speak_phones(words, seed=7)
    np.testing.assert_array_equal(first.samples, speak_phones(words, seed=7).samples)
    other = speak_phones(words, seed=8).samples
    assert len(other) != len(first.samples) or not np.allclose(other, first.samples)


def test_every_phone_is_nearest_to_itself():
    known = {phone: mean_mel(phone, seed=1) for phone in PHONES}
    confused = []
    for phone in PHONES:
        heard = mean_mel(phone, seed=2)
        nearest = min(known, key=lambda other: float((known[other] - heard).abs().mean()))
        if nearest != phone:
            confused.append((phone, nearest))
    assert len(confused) <= 2, confused


@pytest.mark.parametrize("f0", [100.0, 150.0, 220.0])
def test_the_voice_has_the_height_asked_for(f0):
    words = ["W", "IY1", "ER0", "AO1", "L", "R", "AY1", "T", "."]
    assert median_f0(speak_phones(words, seed=0, f0=f0)) == pytest.approx(f0, rel=0.07)


def test_a_vowel_has_its_formants():
    sound = speak_phones(["IY1"] * 4, seed=0).samples
    spectrum = np.abs(np.fft.rfft(sound))
    frequencies = np.fft.rfftfreq(len(sound), 1 / 22050)

    def energy(low, high):
        return np.square(spectrum[(frequencies >= low) & (frequencies < high)]).sum()

    assert energy(2000, 2600) > 5 * energy(1000, 1600)
    assert energy(150, 400) > 5 * energy(500, 900)


def test_pauses_are_quiet_and_speech_is_not():
    sound = speak_phones(["AA1", ".", "AA1"], seed=0).samples
    powers = np.square(sound[: len(sound) // 441 * 441].reshape(-1, 441)).mean(axis=1)
    assert powers.min() < 1e-6 * powers.max()
    assert np.abs(sound).max() == pytest.approx(0.5)


def test_lower_case_stress_digits_and_spaces_are_understood():
    sound = speak_phones(["hh", "ah0", " ", "", "ow2", "sil", "?"], seed=0)
    assert sound.rate == 22050
    assert 0.5 < sound.seconds < 2


@pytest.mark.parametrize("phones", [[], ["XX"], ["A"], ["AA", "@AA1"]])
def test_what_is_no_phone_is_refused(phones):
    with pytest.raises(BadInputError, match="phone"):
        speak_phones(phones, seed=0)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_the_height_of_a_pure_tone(rate):
    samples = (0.3 * np.sin(2 * np.pi * 200 * np.arange(rate) / rate)).astype(np.float32)
    assert median_f0(Waveform(samples, rate)) == pytest.approx(200, rel=0.01)


@pytest.mark.parametrize("length", [1, 100, 1102, 1103, 1200, 22050])
def test_what_has_no_height_gives_none(length):
    noise = np.random.default_rng(0).normal(0, 1e-3, length).astype(np.float32)
    assert median_f0(Waveform(np.zeros(length, np.float32), 22050)) is None
    assert length > 2000 or median_f0(Waveform(noise, 22050)) is None
