"""The search for a spectrum that has a mel and is consistent with audio."""

import pytest
import torch
from formant_synthesis import speak_phones

from voxgrad.audio.mel import log_mel, mel_filters
from voxgrad.settings import MelSpec
from voxgrad.vocoder.phase import (
    GriffinLim,
    GriffinLimSpec,
    istft,
    modulus,
    reach,
    reconstruct_phase,
    stft,
    zero_phase_spectrum,
)

MEL = MelSpec()
SMALL = MelSpec(sample_rate=8000, n_fft=256, win_length=200, hop_length=64, n_mels=20, f_max=4000)


@pytest.fixture(scope="module")
def speech():
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


def test_frames_are_those_of_the_mel(speech):
    magnitudes = modulus(stft(speech, MEL))
    ours = (mel_filters(MEL, speech.device, speech.dtype) @ magnitudes.transpose(1, 2)).clamp(min=MEL.floor)
    inside = slice(4, -4)  # the mel reflects the sound at its ends, a spectrum has silence there
    torch.testing.assert_close(ours.log()[..., inside], log_mel(speech, MEL)[..., inside], rtol=0, atol=2e-2)


def test_it_begins_with_the_mel_and_no_phases(speech):
    mel = log_mel(speech, MEL)
    spectrum = zero_phase_spectrum(mel, MEL)
    assert spectrum.imag.abs().max() == 0
    has = (mel_filters(MEL, mel.device, mel.dtype) @ spectrum.real.transpose(1, 2)).clamp(min=MEL.floor).log()
    assert (has - mel).abs().mean() < 0.05


def test_every_iteration_brings_the_sound_nearer_and_twice_as_near_as_griffin_lim(speech):
    mel = log_mel(speech, MEL)

    def distance(sound):
        return float((log_mel(sound, MEL) - mel).abs().mean())

    ours = [
        distance(istft(reconstruct_phase(zero_phase_spectrum(mel, MEL), mel, MEL, n).spectrum, MEL))
        for n in (1, 4, 16, 32)
    ]
    assert ours == sorted(ours, reverse=True)
    assert ours[-1] < 0.67 * distance(GriffinLim(GriffinLimSpec(n_iter=32), MEL)(mel))


def test_what_is_consistent_belongs_to_a_sound(speech):
    mel = log_mel(speech, MEL)
    consistent = reconstruct_phase(zero_phase_spectrum(mel, MEL), mel, MEL, 3).consistent
    again = stft(istft(consistent, MEL), MEL)
    inside = slice(4, -4)
    torch.testing.assert_close(again[:, inside], consistent[:, inside], rtol=0, atol=1e-3)


def test_reach_is_how_far_overlapping_frames_touch():
    spectrum = torch.zeros(1, 21, MEL.n_fft // 2 + 1, dtype=torch.cfloat)
    spectrum[0, 10, 50] = 1.0
    touched = modulus(stft(istft(spectrum, MEL), MEL))[0].amax(1) > 1e-6
    assert touched.nonzero().flatten().tolist() == list(range(10 - reach(MEL), 11 + reach(MEL)))


def test_silence_stays_finite_and_silent():
    mel = torch.full((1, 80, 12), float(torch.tensor(MEL.floor).log()))
    sound = istft(reconstruct_phase(zero_phase_spectrum(mel, MEL), mel, MEL, 4).spectrum, MEL)
    assert sound.isfinite().all()
    assert sound.abs().max() < 1e-2
