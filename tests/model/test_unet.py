"""The score network's shortcuts beside the same thing written out; fused normalisation and Mish beside torch's."""

import pytest
import torch
import torch.nn.functional as F

from voxgrad.model import unet
from voxgrad.model.group_norm_mish import group_norm_mish, takes
from voxgrad.model.unet import Block, Frames, LinearAttention, UNet
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
    monkeypatch.setattr("voxgrad.model.group_norm_mish.takes", lambda x: False)
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


SHAPES = [(2, 16, 5, 7), (3, 32, 80, 12), (1, 16, 1, 3), (2, 24, 20, 40)]


def inputs(shape, dtype, layout):
    generator = torch.Generator().manual_seed(0)
    x = 3.0 * torch.randn(shape, generator=generator) + 1.0
    x = x.to(dtype).contiguous(memory_format=layout)
    weight = torch.rand(shape[1], generator=generator) + 0.5
    bias = torch.randn(shape[1], generator=generator)
    above = torch.randn(shape, generator=generator).to(dtype)
    return x, weight, bias, above


def fused(x, weight, bias):
    norm = torch.nn.GroupNorm(8, len(weight))
    del norm.weight, norm.bias
    norm.weight, norm.bias = weight, bias
    return group_norm_mish(x, norm)


def plain(x, weight, bias):
    return F.mish(F.group_norm(x, 8, weight, bias, 1e-5))


def gradients(function, x, weight, bias, above):
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (x, weight, bias)]
    y = function(*leaves)
    y.backward(above.to(y.dtype))
    return [y.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 3e-6), (torch.bfloat16, 4e-3)])
def test_value_and_gradients_are_those_of_the_two_one_after_the_other(shape, layout, dtype, rounding):
    x, weight, bias, above = inputs(shape, dtype, layout)
    exact = gradients(plain, *(tensor.double() for tensor in (x, weight, bias, above)))
    found = gradients(fused, x, weight, bias, above)
    for wanted, given in zip(exact, found, strict=True):
        assert given.shape == wanted.shape
        scale = wanted.abs().max().clamp(min=1e-2)
        assert float((given.double() - wanted).abs().max() / scale) < rounding
    assert found[0].dtype == found[1].dtype == dtype


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 3e-6), (torch.bfloat16, 8e-3)])
def test_what_is_added_is_added_in_place_where_no_gradient_is_asked_for(spread, dtype, rounding):
    x, weight, bias, above = inputs((2, 24, 20, 40), dtype, torch.channels_last)
    plus = above[:, :, :1, :1] if spread else above
    norm = torch.nn.GroupNorm(8, 24)
    norm.weight, norm.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    wanted = plain(x.double(), weight.double(), bias.double()) + plus.double()
    leaf = plus.clone().requires_grad_()
    found = group_norm_mish(x, norm, leaf)
    found.sum().backward()
    assert torch.allclose(leaf.grad.double(), torch.full_like(leaf, 800.0 if spread else 1.0).double())
    assert found.data_ptr() != x.data_ptr()
    assert float((found.detach().double() - wanted).abs().max() / wanted.abs().max()) < rounding
    with torch.no_grad():
        again = group_norm_mish(x, norm, plus)
    assert again.data_ptr() == x.data_ptr()
    assert torch.equal(again, found)


def test_large_numbers_stay_numbers_and_no_number_stays_none():
    x = torch.tensor([-1e4, -100.0, -30.0, 0.0, 19.0, 21.0, 100.0, 1e4]).reshape(1, 8, 1, 1).repeat(1, 1, 1, 2)
    weight, bias = torch.zeros(8), x[0, :, 0, 0].clone()  # Mish of the bias alone
    found = fused(x, weight, bias)
    assert torch.allclose(found[0, :, 0, 0], F.mish(bias), rtol=1e-5, atol=1e-6)
    x[0, 3, 0, 0] = float("nan")
    assert found.isfinite().all()
    assert fused(x, torch.ones(8), bias)[0, 3].isnan().all()


def test_a_mean_far_from_zero_costs_no_accuracy():
    x = torch.randn(1, 8, 40, 50, generator=torch.Generator().manual_seed(0)) + 50.0
    exact = plain(x.double(), torch.ones(8).double(), torch.zeros(8).double())
    found = fused(x, torch.ones(8), torch.zeros(8))
    assert float((found.double() - exact).abs().max()) < 1e-4


def test_the_network_uses_it_and_gives_what_it_gave():
    torch.manual_seed(0)
    block = Block(8, 16)
    x = torch.randn(2, 8, 20, 12)
    assert takes(x)
    assert not takes(x.double())
    conv, norm, mish = block.block
    assert torch.allclose(block(x, Frames()), mish(norm(conv(x))), atol=1e-5)
    everything = torch.ones(2, 1, 1, 12)
    assert torch.allclose(block(x, Frames(extent=everything)), block(x, Frames()), atol=1e-5)
