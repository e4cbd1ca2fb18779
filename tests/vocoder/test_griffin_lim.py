"""Griffin-Lim: copies of speech, aligned and at the right level."""

import numpy as np
import pytest
import torch
from formant_synthesis import speak_phones

from voxgrad.audio.mel import log_mel, mel_filters
from voxgrad.settings import MelSpec
from voxgrad.vocoder.phase import GriffinLim, GriffinLimSpec, mel_to_linear

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


def test_momentum_helps(speech):
    assert distance(copy(speech), speech) < distance(copy(speech, momentum=0.0), speech)


def test_it_is_deterministic(speech):
    torch.testing.assert_close(copy(speech), copy(speech), rtol=0, atol=0)


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


def test_a_batch_is_its_members(speech):
    mels = log_mel(torch.stack([speech[:12800], speech[12800:25600]]), MEL)
    vocoder = GriffinLim(GriffinLimSpec(n_iter=4), MEL)
    torch.testing.assert_close(vocoder(mels)[1:], vocoder(mels[1:]), atol=1e-4, rtol=1e-3)


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
