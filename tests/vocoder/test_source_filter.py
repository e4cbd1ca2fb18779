"""The feed-forward vocoder: excitation, correction to the mel, and what its networks may not change."""

import numpy as np
import pytest
import torch
from torch import Tensor

from voxgrad.audio.mel import log_mel
from voxgrad.settings import MelSpec, SourceFilterSpec
from voxgrad.vocoder.phase import istft
from voxgrad.vocoder.source_filter import SourceFilterVocoder, excitation

MEL = MelSpec()
SMALL = SourceFilterSpec(channels=16, blocks=2, pitch_channels=16, pitch_blocks=1)


@pytest.fixture
def vocoder() -> SourceFilterVocoder:
    torch.manual_seed(0)
    return SourceFilterVocoder.build(SMALL, MEL)


def vowel(seconds: float = 1.0, f0: float = 150.0) -> Tensor:
    """Harmonics of a falling strength: (1, samples)."""
    time = torch.arange(int(seconds * MEL.sample_rate / MEL.hop_length) * MEL.hop_length) / MEL.sample_rate
    return 0.1 * sum(torch.sin(2 * np.pi * f0 * k * time) / k for k in range(1, 40))[None]


@pytest.mark.parametrize("f0", [70.0, 150.0, 411.3])
def test_there_is_one_pulse_a_period(f0):
    pulses, _ = excitation(torch.full((1, 200), f0), MEL)
    weights = pulses[0] / (MEL.sample_rate / f0) ** 0.5
    assert float(weights.sum()) == pytest.approx(200 * MEL.hop_length * f0 / MEL.sample_rate, abs=1)
    at = torch.arange(len(weights), dtype=torch.float32)
    hits = (weights > 0).nonzero()[:, 0]
    first = hits[torch.cat((torch.tensor([True]), hits.diff() > 1))]
    # Where the two samples that share a pulse balance.
    centres = torch.stack([(weights[i : i + 2] * at[i : i + 2]).sum() / weights[i : i + 2].sum() for i in first])
    assert torch.allclose(centres.diff(), torch.tensor(MEL.sample_rate / f0), atol=0.05)


def test_pulses_and_noise_are_as_strong_as_each_other():
    pulses, noise = excitation(torch.full((2, 400), 120.0), MEL, torch.tensor([0.0, 0.7]))
    assert float(pulses.square().mean()) == pytest.approx(1, abs=0.35)  # a shared pulse has less energy
    assert float(noise.square().mean()) == pytest.approx(1, abs=0.02)
    assert not torch.equal(noise[0], noise[1])


def test_even_an_untrained_network_keeps_the_mel(vocoder):
    mel = log_mel(vowel(), MEL)
    flat = torch.ones(mel.shape[0], mel.shape[2])
    made = istft(vocoder.filtered(mel, 150 * flat, 0.9 * flat).detach(), MEL)
    assert float((log_mel(made, MEL) - mel)[:, :, 8:-8].abs().mean()) < 0.5


def test_a_louder_mel_becomes_louder_audio_alone(vocoder):
    mel = log_mel(vowel(), MEL)
    quiet, loud = vocoder(mel), vocoder(mel + np.log(2))
    assert float(loud.square().mean() / quiet.square().mean()) == pytest.approx(4, rel=0.1)


def test_the_same_mel_becomes_the_same_audio(vocoder):
    mel = log_mel(vowel(), MEL)
    assert torch.equal(vocoder(mel), vocoder(mel))
    assert vocoder(mel).shape == (1, mel.shape[2] * MEL.hop_length)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_very_short_mels_and_silence_are_spoken(vocoder, frames):
    silence = torch.full((1, MEL.n_mels, frames), float(np.log(MEL.floor)))
    audio = vocoder(silence)
    assert audio.shape == (1, frames * MEL.hop_length)
    assert float(audio.abs().max()) < 1e-2


def test_rows_of_a_batch_are_what_they_are_alone(vocoder):
    mels = torch.cat([log_mel(vowel(f0=f0), MEL) for f0 in (100.0, 220.0)])
    together = vocoder(mels)
    for row in range(2):
        # Rounding moves a pulse by a little.
        assert torch.allclose(together[row], vocoder(mels[row : row + 1])[0], atol=5e-3)


def test_gradients_reach_every_weight_of_the_filter(vocoder):
    mel = log_mel(vowel(), MEL)
    flat = torch.ones(mel.shape[0], mel.shape[2])
    vocoder.filtered(mel, 150 * flat, 0.5 * flat, torch.rand(1)).abs().sum().backward()
    gradients = [one.grad for one in vocoder.network.filter.parameters()]
    assert all(one is not None and one.isfinite().all() for one in gradients)
    assert sum(float(one.abs().sum()) > 0 for one in gradients) == len(gradients)


def test_a_revised_mel_is_what_the_iterations_move_to():
    torch.manual_seed(0)
    revising = SMALL.model_copy(update={"revise_mel": True, "iterations": 2})
    vocoder = SourceFilterVocoder.build(revising, MEL)
    mel = log_mel(vowel(), MEL)
    flat = torch.ones(mel.shape[0], mel.shape[2])

    def made() -> Tensor:
        samples = istft(vocoder.filtered(mel, 150 * flat, 0.9 * flat).detach(), MEL)
        return log_mel(samples, MEL)[:, 4:60, 8:-8].mean()

    before = made()
    with torch.no_grad():
        vocoder.network.filter.revision.bias.fill_(0.5)
    assert float(made() - before) == pytest.approx(0.5, abs=0.1)
