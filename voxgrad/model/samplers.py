"""Solvers of the reverse diffusion, from N(mu, I) back to a mel.

All work on borders of time that fall from 1 to 0 and ask the score network once between two of them. The forward
diffusion of Popov et al. (2021) draws x towards mu, so that r = x − mu obeys the usual variance-preserving one:
r_t = a_t r_0 + σ_t ε with a_t = exp(−½ ∫₀ᵗ β_s ds) and σ_t² = 1 − a_t² (equation 9). What is known of that one holds
here for r.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from voxgrad.model.diffusion import Condition, Diffusion
from voxgrad.settings import SynthesisSpec

Noise = Callable[[], Tensor]
"""Draws standard normal noise of the mel's shape."""

_BEGIN = 0.97
"""Where ``unipc`` takes x_1 to be. Nearer to 1 a step adds next to nothing of the mel, and the errors of the score
are worth more than the score: the predicted mel is 1/a_t times them, 150 times at 1."""
_PROBE = 64
"""Frames on which half precision is compared with float32."""


def sample(
    diffusion: Diffusion, start: Tensor, condition: Condition, settings: SynthesisSpec, noise: Noise
) -> Tensor:
    """Solves as the settings say.

    Args:
        diffusion: the trained score network with its schedule.
        start: x_1, (batch, n_feats, frames).
        condition: prior mean, masks, speaker.
        settings: sampler, steps and grid.
        noise: of the stochastic samplers.

    Returns:
        x_0, (batch, n_feats, frames), zero on padding.
    """
    if settings.steps is None:
        raise ValueError("the number of steps is not settled")
    times = borders(settings.steps, settings.grid)
    condition = replace(condition, bias=rounding_bias(diffusion, start, condition))
    match settings.sampler:
        case "unipc":
            return unipc(diffusion, start, condition, [_BEGIN * t for t in times])
        case "euler":
            return euler(diffusion, start, condition, times)
        case "sde":
            return sde(diffusion, start, condition, times, noise)
        case "ml":
            return maximum_likelihood(diffusion, start, condition, times, noise)
        case "ddim":
            return dpmpp(diffusion, start, condition, times, order=1)
        case "dpmpp":
            return dpmpp(diffusion, start, condition, times)


def borders(steps: int, power: float = 1.0) -> list[float]:
    """Times from 1 to 0, evenly spaced and then raised to a power; below 1 they crowd near the noise.

    >>> borders(4)
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    return [(1.0 - step / steps) ** power for step in range(steps)] + [0.0]


def euler(diffusion: Diffusion, start: Tensor, condition: Condition, times: Sequence[float]) -> Tensor:
    """Euler's method at midpoint times, as the official code does it.

    Solves the probability-flow ODE (Popov et al., 2021, equation 8), dX = ½(μ − X − s(X, μ, t)) β dt.
    """
    x = condition.clear(start)
    for t, following in pairwise(times):
        middle = 0.5 * (t + following)
        spent = diffusion.schedule.beta(middle) * (t - following)
        x = x - 0.5 * (condition.mu - x - _score(diffusion, x, condition, middle)) * spent
    return condition.clear(x)


def sde(
    diffusion: Diffusion, start: Tensor, condition: Condition, times: Sequence[float], noise: Noise
) -> Tensor:
    """Euler–Maruyama at midpoint times, as the official code does it.

    Solves the reverse SDE (Popov et al., 2021, equation 6), dX = (½(μ − X) − s(X, μ, t)) β dt + √β dW̃.
    """
    x = condition.clear(start)
    for t, following in pairwise(times):
        middle = 0.5 * (t + following)
        spent = diffusion.schedule.beta(middle) * (t - following)
        drift = 0.5 * (condition.mu - x) - _score(diffusion, x, condition, middle)
        x = x - drift * spent - noise() * math.sqrt(spent)
    return condition.clear(x)


def maximum_likelihood(
    diffusion: Diffusion, start: Tensor, condition: Condition, times: Sequence[float], noise: Noise
) -> Tensor:
    """The SDE solver whose discrete path is the likeliest one (DiffVC, Popov et al., 2022, theorem 1).

    Its coefficients κ, ω and σ, put together, draw r_s from the posterior given r_t and the predicted r_0:
    N(a_ts σ_s²/σ_t² r_t + a_s (1 − a_ts²)/σ_t² r_0, σ_s² (1 − a_ts²)/σ_t²) with a_ts = a_t/a_s.
    """
    residual = condition.clear(start - condition.mu)
    for t, following in pairwise(times):
        predicted = _data(diffusion, residual, condition, t)
        (signal, deviation), (next_signal, next_deviation) = (_level(diffusion, s) for s in (t, following))
        kept = signal / next_signal
        fresh = (1.0 - kept**2) / deviation**2
        residual = kept * (next_deviation / deviation) ** 2 * residual + next_signal * fresh * predicted
        if next_deviation > 0:
            residual = residual + next_deviation * math.sqrt(fresh) * noise()
    return condition.clear(condition.mu + residual)


def dpmpp(
    diffusion: Diffusion, start: Tensor, condition: Condition, times: Sequence[float], order: int = 2
) -> Tensor:
    """DPM-Solver++ (Lu et al., 2022, algorithm 2, "2M"), for the probability-flow ODE.

    Integrates the linear part exactly and takes the predicted mel as linear in λ = log(a/σ) between two
    evaluations (``order`` 2) or as constant, which is DDIM (Song et al., 2021). The first step has nothing to
    extrapolate from, and λ grows without bound in the last: both are of order 1, and the last ends on the
    predicted mel itself.
    """
    residual = condition.clear(start - condition.mu)
    earlier: tuple[Tensor, float] | None = None
    for t, following in pairwise(times):
        predicted = towards = _data(diffusion, residual, condition, t)
        if order > 1 and following > 0:
            reach = _reach(diffusion, t, following)
            if earlier is not None:
                towards = predicted + (predicted - earlier[0]) * (reach / (2.0 * earlier[1]))
            earlier = predicted, reach
        residual = _advance(diffusion, residual, t, following, towards)
    return condition.clear(condition.mu + residual)


def unipc(diffusion: Diffusion, start: Tensor, condition: Condition, times: Sequence[float]) -> Tensor:
    """UniPC (Zhao et al., 2023, algorithms 5 and 7, B₂(h)), for the probability-flow ODE.

    The steps of `dpmpp`, each taken again as soon as the mel is predicted at its end, this time towards the mean of
    what is predicted at both ends: a correction that asks the network for nothing. The last step goes half as far
    beyond the last predicted mel as a line in t would lead.
    """
    residual = condition.clear(start - condition.mu)
    earlier: tuple[Tensor, Tensor, float] | None = None
    for t, following in pairwise(times):
        predicted = towards = _data(diffusion, residual, condition, t)
        if earlier is not None:
            before, seen, past = earlier
            change = predicted - seen
            residual = _advance(diffusion, before, past, t, seen + 0.5 * change)
            ratio = (
                _reach(diffusion, t, following) / _reach(diffusion, past, t) if following else t / (past - t)
            )
            towards = predicted + change * (0.5 * ratio)
        earlier = residual, predicted, t
        residual = _advance(diffusion, residual, t, following, towards)
    return condition.clear(condition.mu + residual)


def rounding_bias(diffusion: Diffusion, start: Tensor, condition: Condition) -> Tensor | None:
    """How much higher half precision puts the score on average, if that is what the context asks for.

    Weights that are rounded once move the score by nearly as much at all times and everywhere. It is little, but near
    the noise 1/a_t times it moves the level of the speech. Measured at the start, on a few frames.

    Returns:
        (batch, 1, 1); None in float32, and of a network that predicts the mel itself.
    """
    if not torch.is_autocast_enabled(start.device.type) or condition.features is not None:
        return None
    mask, extent = (None if m is None else m[..., :_PROBE] for m in (condition.mask, condition.extent))
    few = replace(condition, mu=condition.mu[..., :_PROBE], mask=mask, extent=extent)
    x = few.clear(start[..., :_PROBE])
    rounded = _score(diffusion, x, few, _BEGIN)
    with torch.autocast(x.device.type, enabled=False):
        moved = few.clear(rounded - _score(diffusion, x, few, _BEGIN))
    real = x.shape[2] if few.mask is None else few.mask.sum((1, 2), keepdim=True)
    return moved.sum((1, 2), keepdim=True) / (real * x.shape[1])


def _advance(diffusion: Diffusion, residual: Tensor, t: float, following: float, towards: Tensor) -> Tensor:
    """Where a step leads if the predicted mel stays the same: the linear part is integrated exactly."""
    (signal, deviation), (next_signal, next_deviation) = (_level(diffusion, s) for s in (t, following))
    shrunk = next_deviation / deviation
    return shrunk * residual + (next_signal - shrunk * signal) * towards


def _reach(diffusion: Diffusion, t: float, following: float) -> float:
    """How far a step goes in log(a/σ)."""
    (signal, deviation), (next_signal, next_deviation) = (_level(diffusion, s) for s in (t, following))
    return math.log(next_signal / next_deviation) - math.log(signal / deviation)


def _level(diffusion: Diffusion, t: float) -> tuple[float, float]:
    """a_t and σ_t."""
    integral = diffusion.schedule.integral(t)
    return math.exp(-0.5 * integral), math.sqrt(-math.expm1(-integral))


def _data(diffusion: Diffusion, residual: Tensor, condition: Condition, t: float) -> Tensor:
    """The mel that the score points to, less mu: r_0 = (r_t + σ_t² s)/a_t (Tweedie's formula)."""
    signal, deviation = _level(diffusion, t)
    score = _score(diffusion, condition.mu + residual, condition, t)
    return (residual + deviation**2 * score) / signal


def _score(diffusion: Diffusion, x: Tensor, condition: Condition, t: float) -> Tensor:
    score = condition.score(diffusion.estimator, x, x.new_full((len(x),), t)).float()
    return score if condition.bias is None else condition.clear(score - condition.bias)
