"""Griffin-Lim, and the search for a spectrum that has a mel and is consistent with audio."""

import numpy as np
import pytest
import torch
from formant_synthesis import speak_phones

from voxgrad.audio.mel import log_mel, mel_filters
from voxgrad.settings import MelSpec
from voxgrad.vocoder.phase import (
    GriffinLim,
    GriffinLimSpec,
    istft,
    mel_to_linear,
    modulus,
    reach,
    reconstruct_phase,
    stft,
    zero_phase_spectrum,
)

MEL = MelSpec()


@pytest.fixture(scope="module")
def speech():
    words = ["HH", "AH0", "L", "OW1", ",", "W", "ER1", "L", "D", "S", "IH1", "T"]
    return torch.from_numpy(speak_phones(words, seed=0, f0=180).samples)


def copy(speech, spec=MEL, **settings):
    return GriffinLim(GriffinLimSpec(**settings), spec)(log_mel(speech, spec)[None])[0]


def distance(sound, speech):
    mel = log_mel(speech, MEL)
    return (log_mel(sound, MEL) - mel).abs().mean().item()


def test_a_copy_has_nearly_the_same_mel_and_more_iterations_help(speech):
    distances = [distance(copy(speech, n_iter=n), speech) for n in (1, 4, 32)]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.25
    assert distances[2] < distance(copy(speech, momentum=0.0), speech)


@pytest.mark.parametrize("hop", [256, 200])
def test_a_copy_lies_where_the_original_lay(hop):
    spec = MelSpec(hop_length=hop)
    samples = np.random.default_rng(0).normal(0, 1e-4, 22016).astype(np.float32)
    onset = 9000
    samples[onset : onset + 6000] += 0.3 * np.sin(np.arange(6000) * 0.2).astype(np.float32)
    sound = copy(torch.from_numpy(samples), spec).numpy()
    envelopes = [np.convolve(np.abs(x[: len(sound)]), np.ones(64)) for x in (samples, sound)]
    lags = np.arange(-400, 401)
    likeness = [np.dot(envelopes[0], np.roll(envelopes[1], -lag)) for lag in lags]
    assert abs(lags[int(np.argmax(likeness))]) <= 24


def test_a_copy_is_as_loud(speech):
    original = speech[: len(speech) // 256 * 256]
    gain = 20 * torch.log10(copy(speech).std() / original.std())
    assert abs(gain) < 1


@pytest.mark.parametrize("frames", [1, 2, 3, 50])
@pytest.mark.parametrize("batch", [1, 3])
def test_each_frame_becomes_a_hop(batch, frames):
    vocoder = GriffinLim(GriffinLimSpec(n_iter=2), MEL)
    sound = vocoder(torch.randn(batch, 80, frames) - 5)
    assert sound.shape == (batch, frames * 256)
    assert torch.isfinite(sound).all()
    assert sound.is_inference()


def test_other_mels_are_spoken_too(speech):
    spec = MelSpec(n_fft=2048, win_length=1200, hop_length=300, n_mels=100, f_max=11025)
    sound = copy(speech, spec)
    assert sound.shape == (len(speech) // 300 * 300,)
    assert (log_mel(sound, spec) - log_mel(speech, spec)).abs().mean() < 0.35


def test_a_silent_mel_is_silent():
    sound = GriffinLim(GriffinLimSpec(), MEL)(torch.full((1, 80, 20), np.log(1e-5)))
    assert sound.abs().max() < 1e-3


def test_linear_magnitudes_have_the_mel_asked_for(speech):
    mel = log_mel(speech, MEL)
    linear = mel_to_linear(mel, MEL)
    assert linear.shape == (513, mel.shape[-1])
    assert linear.min() >= 0
    back = (mel_filters(MEL, mel.device, mel.dtype) @ linear).log()
    assert (back - mel).abs().mean() < 0.01


SMALL = MelSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=64, n_mels=20, f_max=4000)


@pytest.fixture(scope="module")
def spoken():
    waveform = speak_phones(["HH", "AH0", "L", "OW1", " ", "W", "ER1", "L", "D"], 0, 120.0)
    samples = torch.from_numpy(waveform.samples)[None]
    return samples[:, : samples.shape[1] // MEL.hop_length * MEL.hop_length]


@pytest.mark.parametrize("mel", [MEL, SMALL], ids=["usual", "small window"])
def test_synthesis_reverses_analysis(mel):
    samples = torch.randn(2, 20 * mel.hop_length, generator=torch.Generator().manual_seed(0))
    again = istft(stft(samples, mel), mel)
    assert again.shape == samples.shape
    # At the very ends a narrow window leaves nothing to add up.
    inside = slice(mel.n_fft, -mel.n_fft)
    torch.testing.assert_close(again[:, inside], samples[:, inside], rtol=0, atol=1e-5)


def test_frames_are_those_of_the_mel(spoken):
    magnitudes = modulus(stft(spoken, MEL))
    ours = (mel_filters(MEL, spoken.device, spoken.dtype) @ magnitudes.transpose(1, 2)).clamp(min=MEL.floor)
    inside = slice(4, -4)  # the mel reflects the sound at its ends, a spectrum has silence there
    torch.testing.assert_close(ours.log()[..., inside], log_mel(spoken, MEL)[..., inside], rtol=0, atol=2e-2)


def test_it_begins_with_the_mel_and_no_phases(spoken):
    mel = log_mel(spoken, MEL)
    spectrum = zero_phase_spectrum(mel, MEL)
    assert spectrum.imag.abs().max() == 0
    has = (mel_filters(MEL, mel.device, mel.dtype) @ spectrum.real.transpose(1, 2)).clamp(min=MEL.floor).log()
    assert (has - mel).abs().mean() < 0.05


def test_every_iteration_brings_the_sound_nearer_and_twice_as_near_as_griffin_lim(spoken):
    mel = log_mel(spoken, MEL)

    def distance(sound):
        return float((log_mel(sound, MEL) - mel).abs().mean())

    ours = [
        distance(istft(reconstruct_phase(zero_phase_spectrum(mel, MEL), mel, MEL, n).spectrum, MEL))
        for n in (1, 4, 16, 32)
    ]
    assert ours == sorted(ours, reverse=True)
    assert ours[-1] < 0.67 * distance(GriffinLim(GriffinLimSpec(n_iter=32), MEL)(mel))


def test_what_is_consistent_belongs_to_a_sound(spoken):
    mel = log_mel(spoken, MEL)
    consistent = reconstruct_phase(zero_phase_spectrum(mel, MEL), mel, MEL, 3).consistent
    again = stft(istft(consistent, MEL), MEL)
    inside = slice(4, -4)
    torch.testing.assert_close(again[:, inside], consistent[:, inside], rtol=0, atol=1e-3)


def test_reach_is_how_far_overlapping_frames_touch():
    spectrum = torch.zeros(1, 21, MEL.n_fft // 2 + 1, dtype=torch.cfloat)
    spectrum[0, 10, 50] = 1.0
    touched = modulus(stft(istft(spectrum, MEL), MEL))[0].amax(1) > 1e-6
    assert touched.nonzero().flatten().tolist() == list(range(10 - reach(MEL), 11 + reach(MEL)))
