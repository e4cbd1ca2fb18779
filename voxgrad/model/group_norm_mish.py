"""Group normalisation and Mish in one pass, forwards and backwards, on a processor.

The two cost more than the convolutions between them when torch does them one after the other: each reads and writes
everything several times, and the backward pass of group normalisation does not vectorise over channels. Here rows of
adjacent channels are read once to be summed and once to be changed, an utterance's share of memory stays in the
cache, and only the input is kept for the backward pass. bfloat16 is computed with in float32, and rounded once. All is
done in one thread: those of torch go on spinning for a while after each of its operations, and others beside them
made a step a fifth slower.

With e = exp z, tanh(softplus z) = n / d where n = e² + 2e and d = n + 2; so mish(z) = z·n/d, and its derivative is
(n·d + 4·z·e·(1 + e)) / d²: one exponential and one division each.
"""

from typing import Any

import numba
import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic, overload
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32]
Rows = NDArray[np.float32] | NDArray[np.uint16]
"""(positions, channels): float32, or the bits of bfloat16, which NumPy does not know."""

_BLOCK = 256  # rows whose sums are float32; blocks are added up in float64
_LANES = 1024  # about as many elements are worked on at once: loops over the channels alone would be too short


def group_norm_mish(x: Tensor, norm: nn.GroupNorm, plus: Tensor | None = None) -> Tensor:
    """Mish of the group normalisation (Wu and He, 2018) of ``x``, and a sum; differentiable, in channels-last memory.

    ``x`` (batch, channels, height, width) is float32 or bfloat16 on the CPU, best in channels-last memory; where no
    gradient is asked for, it is overwritten. ``plus`` is like it, or (batch, channels, 1, 1).
    """
    plus = x.new_zeros(len(x), x.shape[1], 1, 1) if plus is None else plus.to(x.dtype)
    if not torch.is_grad_enabled():
        x = x.contiguous(memory_format=torch.channels_last)
        _forward(x, norm.num_groups, norm.weight, norm.bias, norm.eps, plus, x)
        return x
    fused: Tensor = _GroupNormMish.apply(x, norm.num_groups, norm.weight, norm.bias, norm.eps, plus)
    return fused


def takes(x: Tensor) -> bool:
    """Whether :func:`group_norm_mish` can be given ``x``."""
    return x.device.type == "cpu" and x.dtype in {torch.float32, torch.bfloat16}


def _forward(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, plus: Tensor, out: Tensor) -> Floats:
    """Writes the result, and returns mean and inverse deviation of every group: (2, batch, groups)."""
    rows, added, written = _rows(x), _rows(plus), _view(out)
    statistics = np.empty((2, len(rows), groups), np.float32)
    w, b = weight.detach().numpy(), bias.detach().numpy()
    for item, one in enumerate(rows):
        _measure(one, np.float32(eps), statistics[:, item])
        _apply(one, w, b, statistics[:, item], added[item], written[item])
    return statistics


class _GroupNormMish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, plus: Tensor) -> Tensor:
        out = _like(x)
        ctx.statistics = _forward(x, groups, weight, bias, eps, plus, out)
        ctx.save_for_backward(x, weight, bias)
        ctx.spread = plus.shape[2:] == (1, 1)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias = ctx.saved_tensors
        rows, above, out = _rows(x), _rows(gradient.to(x.dtype)), _like(x)
        sums = np.zeros((2, *rows.shape[::2]), np.float32)
        w, b = weight.detach().numpy(), bias.detach().numpy()
        written = _view(out)

        for item, one in enumerate(rows):
            _backward(one, above[item], w, b, ctx.statistics[:, item], sums[:, item], written[item])
        of_weight, of_bias = torch.from_numpy(sums.sum(1))
        of_plus = gradient.sum((2, 3), keepdim=True) if ctx.spread else gradient
        return out, None, of_weight, of_bias, None, of_plus


def _rows(x: Tensor) -> NDArray[Any]:
    """The elements of a tensor: (batch, positions, channels)."""
    return _view(x.detach().contiguous(memory_format=torch.channels_last))


def _view(x: Tensor) -> NDArray[Any]:
    rows = x.permute(0, 2, 3, 1).flatten(1, 2)
    return (rows.view(torch.uint16) if x.dtype == torch.bfloat16 else rows).numpy()


def _like(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, memory_format=torch.channels_last)


def _bitcast(to: types.Type, code: ir.Type, given: types.Type) -> tuple[Signature, Any]:
    def build(_: Any, builder: ir.IRBuilder, __: Any, arguments: Any) -> ir.Instruction:
        return builder.bitcast(arguments[0], code)

    return to(given), build


# Numba counts the arguments of what it decorates.
_float_of_bits: Any = intrinsic(lambda _, bits: _bitcast(types.float32, ir.FloatType(), types.uint32))  # noqa: ARG005
_bits_of_float: Any = intrinsic(lambda _, value: _bitcast(types.uint32, ir.IntType(32), types.float32))  # noqa: ARG005


def _load(value: Any) -> Any:
    """An element as float32."""
    raise NotImplementedError


def _store(value: Any, like: Any) -> Any:
    """A float32 as an element of the kind of ``like``, rounded to even."""
    raise NotImplementedError


@overload(_load, inline="always", strict=False)
def _load_typed(value: types.Type) -> Any:
    if value == types.float32:
        return lambda value: value
    return lambda value: _float_of_bits(np.uint32(value) << np.uint32(16))


@overload(_store, inline="always", strict=False)
def _store_typed(value: types.Type, like: types.Type) -> Any:  # noqa: ARG001
    if like == types.float32:
        return lambda value, like: np.float32(value)  # noqa: ARG005

    def rounded(value: Any, like: Any) -> Any:  # noqa: ARG001
        bits = _bits_of_float(np.float32(value))
        even = (bits >> np.uint32(16)) & np.uint32(1)
        return np.uint16((bits + np.uint32(0x7FFF) + even) >> np.uint32(16))

    return rounded


@numba.njit(inline="always")
def _exp(z: Any) -> Any:
    """Raise e to z within −80 to 20, to the last bits of a float32: a power of two by Chebyshev and one by its bits."""
    y = min(max(z, np.float32(-80.0)), np.float32(20.0)) * np.float32(1.4426950408889634)
    power = np.floor(y + np.float32(0.5))
    r = y - power
    p = np.float32(1.33908634e-3)
    p = p * r + np.float32(9.67603192e-3)
    p = p * r + np.float32(5.55035711e-2)
    p = p * r + np.float32(2.40221075e-1)
    p = p * r + np.float32(6.93147188e-1)
    p = p * r + np.float32(1.00000008)
    return p * _float_of_bits(np.uint32((np.int32(power) + np.int32(127)) << np.int32(23)))


@numba.njit(inline="always")
def _lanes(channels: int) -> int:
    """How many elements are worked on at once: whole rows, so that each has always the same channel."""
    return channels * max(1, _LANES // channels)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _measure(x: Rows, eps: np.float32, statistics: Floats) -> None:
    """Mean and inverse deviation of every group: (2, groups)."""
    positions, channels = x.shape
    groups = statistics.shape[1]
    width = channels // groups
    total, square = np.zeros(channels), np.zeros(channels)
    part, part_square = np.empty(channels, np.float32), np.empty(channels, np.float32)
    near = np.empty(channels, np.float32)  # some value of each channel, so that no mean swamps the variance
    for c in range(channels):
        near[c] = _load(x[0, c])
    for start in range(0, positions, _BLOCK):
        part[:] = 0.0
        part_square[:] = 0.0
        for p in range(start, min(start + _BLOCK, positions)):
            for c in range(channels):
                value = _load(x[p, c]) - near[c]
                part[c] += value
                part_square[c] += value * value
        total += part
        square += part_square
    means = near + total / positions
    squares = square - total * total / positions
    for g in range(groups):
        span = slice(g * width, (g + 1) * width)
        mean = means[span].mean()
        variance = squares[span].sum() / (width * positions) + ((means[span] - mean) ** 2).mean()
        statistics[0, g], statistics[1, g] = mean, 1.0 / np.sqrt(variance + eps)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _apply(x: Rows, weight: Floats, bias: Floats, statistics: Floats, plus: Rows, out: Rows) -> None:
    """Normalises, activates and adds; ``plus`` has as many positions, or one for all of them."""
    channels = x.shape[1]
    width, lanes = channels // statistics.shape[1], _lanes(channels)
    flat, written, added = x.reshape(-1), out.reshape(-1), plus.reshape(-1)
    scale, offset = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    spread = np.empty(lanes, plus.dtype)
    for i in range(lanes):
        c = i % channels
        scale[i] = statistics[1, c // width] * weight[c]
        offset[i] = bias[c] - statistics[0, c // width] * scale[i]
        spread[i] = added[c]
    row = np.empty(lanes, np.float32)  # what is written may be what is read
    for start in range(0, len(flat), lanes):
        stop = min(start + lanes, len(flat))
        source, target = flat[start:stop], written[start:stop]
        terms = added[start:stop] if len(plus) > 1 else spread
        for i in range(stop - start):
            z = _load(source[i]) * scale[i] + offset[i]
            e = _exp(z)
            n = e * (e + np.float32(2.0))
            row[i] = z * n / (n + np.float32(2.0)) + _load(terms[i])
        for i in range(stop - start):
            target[i] = _store(row[i], source[i])


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _backward(x: Rows, above: Rows, weight: Floats, bias: Floats, statistics: Floats, sums: Floats, out: Rows) -> None:
    positions, channels = x.shape
    groups = statistics.shape[1]
    width = channels // groups
    scale, mean = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for c in range(channels):
        mean[c] = statistics[0, c // width]
        scale[c] = statistics[1, c // width] * weight[c]
    inner = np.empty((positions, channels), np.float32)  # the gradient below Mish
    total, product = np.zeros(channels), np.zeros(channels)
    part, part_product = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for start in range(0, positions, _BLOCK):
        part[:] = 0.0
        part_product[:] = 0.0
        for p in range(start, min(start + _BLOCK, positions)):
            for c in range(channels):
                value = _load(x[p, c]) - mean[c]
                z = value * scale[c] + bias[c]
                e = _exp(z)
                n = e * (e + np.float32(2.0))
                d = n + np.float32(2.0)
                slope = (n * d + np.float32(4.0) * z * e * (np.float32(1.0) + e)) / (d * d)
                below = _load(above[p, c]) * slope
                inner[p, c] = below
                part[c] += below
                part_product[c] += below * value
        total += part
        product += part_product
    second, third = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for g in range(groups):
        inverse = np.float64(statistics[1, g])
        along = across = 0.0
        for c in range(g * width, (g + 1) * width):
            sums[0, c], sums[1, c] = product[c] * inverse, total[c]
            along += weight[c] * product[c] * inverse
            across += weight[c] * total[c]
        for c in range(g * width, (g + 1) * width):
            second[c] = inverse * inverse * along / (width * positions)
            third[c] = inverse * across / (width * positions)
    for p in range(positions):
        for c in range(channels):
            value = _load(x[p, c]) - mean[c]
            out[p, c] = _store(scale[c] * inner[p, c] - second[c] * value - third[c], x[p, c])
