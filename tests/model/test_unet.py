"""The score network's shortcuts beside the same thing written out."""

import pytest
import torch

from voxgrad.model import group_norm_mish, unet
from voxgrad.model.unet import Frames, LinearAttention, UNet
from voxgrad.settings import ModelSpec


def written_out(attention: LinearAttention, x: torch.Tensor, extent: torch.Tensor | None) -> torch.Tensor:
    """Linear attention as the official network computes it: query, key and value of every position."""
    batch, _, bands, frames = x.shape
    projected = attention.to_qkv(x).view(batch, 3, attention.heads, -1, bands * frames)
    query, key, value = projected.unbind(1)
    if extent is not None:
        outside = extent.expand(-1, -1, bands, -1).reshape(batch, 1, 1, -1) == 0
        key = key.masked_fill(outside, -torch.inf)
    context = torch.einsum("bhdn,bhen->bhde", key.softmax(-1), value)
    out = torch.einsum("bhde,bhdn->bhen", context, query)
    return attention.to_out(out.reshape(batch, -1, bands, frames))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_folded_attention_is_attention(channels_last, ragged):
    torch.manual_seed(0)
    attention, x = LinearAttention(24), 3 * torch.randn(3, 24, 10, 16)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    extent = (torch.arange(16) < torch.tensor([[16], [9], [3]]))[:, None, None].float() if ragged else None
    found, expected = attention(x, Frames(extent, extent), torch.ones(1)), written_out(attention, x, extent)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    gradients = [torch.autograd.grad(out.square().sum(), tuple(attention.parameters())) for out in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


@pytest.mark.parametrize("graded", [False, True])
def test_the_fast_network_is_the_plain_one(graded, monkeypatch):
    torch.manual_seed(0)
    estimator = UNet(ModelSpec(dec_dim=16))
    with torch.no_grad():
        for name, parameter in estimator.named_parameters():
            if name.endswith(".g"):  # gates start closed
                parameter.fill_(0.7)
    inputs = torch.randn(2, 80, 24), torch.randn(2, 80, 24), torch.tensor([0.3, 0.9])
    monkeypatch.setattr(unet, "_CACHED", 2 * 128 * 24 * 7)  # seven bands at a time
    with torch.set_grad_enabled(graded):
        fast = estimator(*inputs)
    monkeypatch.setattr(group_norm_mish, "takes", lambda x: False)
    monkeypatch.setattr(
        LinearAttention, "forward", lambda self, x, frames, gate: gate * written_out(self, x, frames.extent)
    )
    plain = estimator(*inputs)
    assert plain.std() > 0.1
    assert (fast - plain).abs().max() < 1e-4


def test_large_keys_do_not_overflow():
    attention = LinearAttention(8)
    with torch.no_grad():
        attention.to_qkv.weight.mul_(1e3)
        assert torch.isfinite(attention(torch.randn(1, 8, 4, 4), Frames(), torch.ones(1))).all()
