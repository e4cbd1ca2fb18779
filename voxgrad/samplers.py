"""Solvers of the reverse diffusion, from N(mu, I) back to a mel: each a registered function.

All work on times that fall from 1 to 0 and ask the score network once between two of them. The forward diffusion of
Popov et al. (2021) draws x towards mu, so that r = x − mu obeys the usual variance-preserving one:
r_t = a_t r_0 + σ_t ε with a_t = exp(−½ ∫₀ᵗ β_s ds) and σ_t² = 1 − a_t² (equation 9). What is known of that one holds
here for r.

Nothing here imports torch, because ONNX Runtime's networks, settings and commands use the samplers without it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

Mel: TypeAlias = Any
"""(batch, n_feats, frames), of torch or of NumPy."""
Time: TypeAlias = Any
"""A number, or several as a tensor."""

_BEGIN = 0.97
"""Where ``unipc`` takes x_1 to be. Nearer to 1 a step adds next to nothing of the mel, and the errors of the score
are worth more than the score: the predicted mel is 1/a_t times them, 150 times at 1."""


class Process(Protocol):
    """A diffusion around mu."""

    @property
    def mu(self) -> Mel:
        """The prior mean."""

    def beta(self, t: float) -> float:
        """β_t."""

    def level(self, t: float) -> tuple[float, float]:
        """a_t and σ_t."""

    def score(self, x: Mel, t: float) -> Mel:
        """The estimated gradient of log p_t(x | mu)."""

    def noise(self) -> Mel:
        """Draws from the standard normal distribution."""

    def clear(self, x: Mel) -> Mel:
        """Zeroes the padding."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The linear noise schedule β_t = β_0 + (β_1 − β_0) t."""

    beta_min: float
    beta_max: float

    def beta(self, t: Time) -> Time:
        """β_t."""
        return self.beta_min + (self.beta_max - self.beta_min) * t

    def integral(self, t: Time) -> Time:
        """∫₀ᵗ β_s ds."""
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2

    def level(self, t: float) -> tuple[float, float]:
        """a_t and σ_t."""
        integral = self.integral(t)
        return math.exp(-0.5 * integral), math.sqrt(-math.expm1(-integral))


Solver = Callable[[Process, Mel, Sequence[float]], Mel]
"""Goes from x_1 through falling times to x_0, zero on padding."""
SAMPLERS: dict[str, Solver] = {}
"""By name, in the order in which they are listed."""
DETERMINISTIC: list[str] = []
"""Those that draw no noise between the times."""


def register(*, stochastic: bool = False) -> Callable[[Solver], Solver]:
    """Make a function a sampler under its own name; a stochastic one draws noise between the times."""

    def registered(solver: Solver) -> Solver:
        SAMPLERS[solver.__name__] = solver
        if not stochastic:
            DETERMINISTIC.append(solver.__name__)
        return solver

    return registered


def time_grid(steps: int, power: float = 1.0) -> list[float]:
    """Times from 1 to 0, evenly spaced and then raised to a power; below 1 they crowd near the noise.

    >>> time_grid(4)
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    return [(1.0 - step / steps) ** power for step in range(steps)] + [0.0]


@register()
def unipc(process: Process, start: Mel, times: Sequence[float]) -> Mel:
    """UniPC (Zhao et al., 2023, algorithms 5 and 7, B₂(h)), for the probability-flow ODE.

    The steps of `dpmpp`, each taken again as soon as the mel is predicted at its end, this time towards the mean of
    what is predicted at both ends: a correction that asks the network for nothing. The last step goes half as far
    beyond the last predicted mel as a line in t would lead.
    """
    residual = process.clear(start - process.mu)
    earlier: tuple[Mel, Mel, float] | None = None
    for t, following in pairwise([_BEGIN * t for t in times]):
        predicted = towards = _data(process, residual, t)
        if earlier is not None:
            before, seen, past = earlier
            change = predicted - seen
            residual = _advance(process, before, past, t, seen + 0.5 * change)
            ratio = _reach(process, t, following) / _reach(process, past, t) if following else t / (past - t)
            towards = predicted + change * (0.5 * ratio)
        earlier = residual, predicted, t
        residual = _advance(process, residual, t, following, towards)
    return process.clear(process.mu + residual)


@register()
def dpmpp(process: Process, start: Mel, times: Sequence[float]) -> Mel:
    """DPM-Solver++ (Lu et al., 2022, algorithm 2, "2M"), for the probability-flow ODE.

    Integrates the linear part exactly and takes the predicted mel as linear in λ = log(a/σ) between two evaluations.
    The first step has nothing to extrapolate from, and λ grows without bound in the last: both are of order 1, and the
    last ends on the predicted mel itself.
    """
    return _dpm_solver(process, start, times, order=2)


@register()
def ddim(process: Process, start: Mel, times: Sequence[float]) -> Mel:
    """DDIM (Song et al., 2021): `dpmpp` of order 1, with the predicted mel constant between two evaluations."""
    return _dpm_solver(process, start, times, order=1)


def _dpm_solver(process: Process, start: Mel, times: Sequence[float], order: int) -> Mel:
    residual = process.clear(start - process.mu)
    earlier: tuple[Mel, float] | None = None
    for t, following in pairwise(times):
        predicted = towards = _data(process, residual, t)
        if order > 1 and following > 0:
            reach = _reach(process, t, following)
            if earlier is not None:
                towards = predicted + (predicted - earlier[0]) * (reach / (2.0 * earlier[1]))
            earlier = predicted, reach
        residual = _advance(process, residual, t, following, towards)
    return process.clear(process.mu + residual)


@register()
def euler(process: Process, start: Mel, times: Sequence[float]) -> Mel:
    """Euler's method at midpoint times, as the official code does it.

    Solves the probability-flow ODE (Popov et al., 2021, equation 8), dX = ½(μ − X − s(X, μ, t)) β dt.
    """
    x = process.clear(start)
    for t, following in pairwise(times):
        middle = 0.5 * (t + following)
        spent = process.beta(middle) * (t - following)
        x = x - 0.5 * (process.mu - x - process.score(x, middle)) * spent
    return process.clear(x)


@register(stochastic=True)
def sde(process: Process, start: Mel, times: Sequence[float]) -> Mel:
    """Euler–Maruyama at midpoint times, as the official code does it.

    Solves the reverse SDE (Popov et al., 2021, equation 6), dX = (½(μ − X) − s(X, μ, t)) β dt + √β dW̃.
    """
    x = process.clear(start)
    for t, following in pairwise(times):
        middle = 0.5 * (t + following)
        spent = process.beta(middle) * (t - following)
        drift = 0.5 * (process.mu - x) - process.score(x, middle)
        x = x - drift * spent - process.noise() * math.sqrt(spent)
    return process.clear(x)


@register(stochastic=True)
def ml(process: Process, start: Mel, times: Sequence[float]) -> Mel:
    """The maximum-likelihood SDE solver: its discrete path is the likeliest (DiffVC, Popov et al., 2022, theorem 1).

    Its coefficients κ, ω and σ, put together, draw r_s from the posterior given r_t and the predicted r_0:
    N(a_ts σ_s²/σ_t² r_t + a_s (1 − a_ts²)/σ_t² r_0, σ_s² (1 − a_ts²)/σ_t²) with a_ts = a_t/a_s.
    """
    residual = process.clear(start - process.mu)
    for t, following in pairwise(times):
        predicted = _data(process, residual, t)
        (signal, deviation), (next_signal, next_deviation) = process.level(t), process.level(following)
        kept = signal / next_signal
        fresh = (1.0 - kept**2) / deviation**2
        residual = kept * (next_deviation / deviation) ** 2 * residual + next_signal * fresh * predicted
        if next_deviation > 0:
            residual = residual + next_deviation * math.sqrt(fresh) * process.noise()
    return process.clear(process.mu + residual)


def _advance(process: Process, residual: Mel, t: float, following: float, towards: Mel) -> Mel:
    """Where a step leads if the predicted mel stays the same: the linear part is integrated exactly."""
    (signal, deviation), (next_signal, next_deviation) = process.level(t), process.level(following)
    shrunk = next_deviation / deviation
    return shrunk * residual + (next_signal - shrunk * signal) * towards


def _reach(process: Process, t: float, following: float) -> float:
    """How far a step goes in log(a/σ)."""
    (signal, deviation), (next_signal, next_deviation) = process.level(t), process.level(following)
    return math.log(next_signal / next_deviation) - math.log(signal / deviation)


def _data(process: Process, residual: Mel, t: float) -> Mel:
    """The mel that the score points to, less mu: r_0 = (r_t + σ_t² s)/a_t (Tweedie's formula)."""
    signal, deviation = process.level(t)
    return (residual + deviation**2 * process.score(process.mu + residual, t)) / signal
