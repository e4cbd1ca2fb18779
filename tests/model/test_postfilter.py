"""The filter between mel and vocoder."""

import torch

from voxgrad.model.postfilter import sharpened
from voxgrad.settings import ModelSpec, SynthesisSpec


def test_a_band_moves_away_from_the_mean_of_its_neighbours():
    mel = torch.tensor([[[0.0], [4.0], [0.0], [0.0]]])
    assert sharpened(mel, 0.5).flatten().tolist() == [-0.5, 5.0, -0.5, 0.0]
    assert sharpened(mel, 0.0) is mel


def test_what_is_smooth_stays():
    ramp = torch.linspace(-5, 0, 80)[None, :, None].expand(2, -1, 7)
    assert (sharpened(ramp, 0.5) - ramp)[:, 1:-1].abs().max() < 1e-5


def test_every_frame_is_filtered_alone():
    mel = torch.randn(1, 80, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(sharpened(mel, 0.3)[..., 4:5], sharpened(mel[..., 4:5], 0.3))


def test_networks_over_frames_are_sharpened_and_unets_are_not():
    for decoder, strength in (("convnext", 0.2), ("unet", 0.0)):
        assert SynthesisSpec().settled(ModelSpec(decoder=decoder)).postfilter == strength
        assert SynthesisSpec(postfilter=0.4).settled(ModelSpec(decoder=decoder)).postfilter == 0.4
