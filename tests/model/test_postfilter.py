"""The filter between acoustic model and vocoder, by torch and by NumPy."""

import numpy as np
import pytest
import torch

from voxgrad import postfilter
from voxgrad.model.postfilter import detail, filtered
from voxgrad.settings import ModelSpec, SynthesisSpec


@pytest.fixture
def noise():
    return torch.randn(2, 80, 40, generator=torch.Generator().manual_seed(0))


def test_a_band_moves_away_from_the_mean_of_its_neighbours_in_every_frame_alone(noise):
    mel = torch.tensor([[[0.0], [4.0], [0.0], [0.0]]])
    assert filtered(mel, None, 0.5).flatten().tolist() == [-0.5, 5.0, -0.5, 0.0]
    ramp = torch.linspace(-5, 0, 80)[None, :, None].expand(2, -1, 7)
    assert (filtered(ramp, None, 0.5) - ramp)[:, 1:-1].abs().max() < 1e-5  # what is smooth stays
    assert torch.equal(filtered(noise, None, 0.3)[..., 4:5], filtered(noise[..., 4:5], None, 0.3))


def test_detail_gets_the_gain_of_its_band_and_its_speaker(noise):
    gains = torch.ones(2, 80)
    gains[0, 30] = 1.5
    louder = filtered(noise, gains, 1e-6)
    assert torch.allclose(louder[0, 30] - noise[0, 30], 0.5 * detail(noise)[0, 30], atol=1e-4)
    gains[0, 30] = 1.0
    assert torch.allclose(filtered(noise, gains, 1e-6), noise, atol=1e-4)
    flat = torch.full((2, 80, 40), -5.0)
    assert torch.allclose(filtered(flat, torch.full((2, 80), 3.0), 0.2), flat, atol=1e-4)


def test_a_strength_of_nothing_changes_nothing(noise):
    gains = torch.full((2, 80), 2.0)
    assert filtered(noise, gains, 0.0) is noise
    mel = noise[:1].numpy()
    assert postfilter.filtered(mel, gains[0].numpy(), 0.0) is mel


@pytest.mark.parametrize("frames", [4, 40])
def test_numpy_is_torch(noise, frames):
    mel, gains = noise[:1, :, :frames], torch.linspace(0.8, 3.0, 80)
    by_numpy = postfilter.filtered(mel.numpy(), gains.numpy(), 0.2)
    assert by_numpy.dtype == np.float32
    assert np.abs(by_numpy - filtered(mel, gains[None], 0.2).numpy()).max() < 1e-5


def test_networks_over_frames_are_filtered_and_unets_are_not():
    for decoder, strength in (("convnext", 0.2), ("unet", 0.0)):
        assert SynthesisSpec().resolve_defaults(ModelSpec(decoder=decoder)).postfilter == strength
        assert SynthesisSpec(postfilter=0.4).resolve_defaults(ModelSpec(decoder=decoder)).postfilter == 0.4
