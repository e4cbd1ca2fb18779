"""Solvers against a diffusion whose score is known: mels drawn from a Gaussian around a shifted mu."""

from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError

from voxgrad import samplers
from voxgrad.model.diffusion import Condition, Diffusion, ReverseDiffusion
from voxgrad.samplers import DETERMINISTIC, SAMPLERS, time_grid
from voxgrad.settings import ModelSpec, OnnxSpec, SynthesisSpec

SHIFT, VARIANCE = 0.8, 0.3
SPEC = ModelSpec()
SCHEDULE = Diffusion(SPEC, torch.nn.Identity()).schedule
SHAPE = (1, 20, 400)


def score(x, mu, t, mask=None, extent=None, speaker=None):
    """Of x_t where x_0 is N(mu + SHIFT, VARIANCE)."""
    signal = torch.exp(-0.5 * SCHEDULE.integral(t))[:, None, None]
    return -(x - mu - signal * SHIFT) / (signal**2 * VARIANCE + 1 - signal.square())


def exact(start, mu):
    """Where the probability-flow ODE ends: every quantile of x_1 goes to the same quantile of x_0."""
    signal = torch.exp(-0.5 * SCHEDULE.integral(torch.tensor(1.0)))
    deviation = torch.sqrt(signal**2 * VARIANCE + 1.0 - signal**2)
    return mu + SHIFT + (start - mu - signal * SHIFT) / deviation * VARIANCE**0.5


class Score(torch.nn.Module):
    bias = 0.0

    def forward(self, *arguments):
        return score(*arguments) + self.bias * torch.is_autocast_enabled("cpu")


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    mu, noise = (torch.randn(SHAPE, generator=generator) for _ in range(2))
    return SimpleNamespace(
        diffusion=Diffusion(SPEC, Score()),
        condition=Condition(mu),
        start=mu + noise,
        exact=exact(mu + noise, mu),
        noise=partial(torch.randn, SHAPE, generator=generator),
    )


def error(problem, solver, steps):
    process = ReverseDiffusion(problem.diffusion, problem.condition)
    found = solver(process, problem.start, time_grid(steps))
    return (found - problem.exact).abs().mean().item()


@pytest.mark.parametrize("solver", [samplers.euler, samplers.ddim])
def test_a_first_order_solver_halves_its_error(problem, solver):
    coarse, fine = (error(problem, solver, steps) for steps in (32, 64))
    assert fine < 0.05
    assert coarse / fine > 1.7


def test_the_second_order_is_nearer(problem):
    for steps in (16, 32):
        second = error(problem, samplers.dpmpp, steps)
        assert second < 0.8 * error(problem, samplers.ddim, steps)
    assert second < 0.02


def test_a_corrected_step_is_nearer_for_the_same_evaluations(problem):
    for steps in (6, 8, 16):
        assert error(problem, samplers.unipc, steps) < 0.8 * error(problem, samplers.dpmpp, steps)


def test_a_score_that_half_precision_moves_is_moved_back(problem):
    half = Diffusion(SPEC, Score())
    half.estimator.bias = 0.01
    mask = (torch.arange(SHAPE[2]) < 40).float()[None, None]  # fewer than are compared
    for condition in (problem.condition, Condition(problem.condition.mu * mask, mask)):
        ends = [problem.start, condition, SynthesisSpec(sampler="unipc", steps=6), problem.noise]
        exact = half.sample(*ends)
        with torch.autocast("cpu", torch.bfloat16):
            assert half.rounding_bias(*ends[:2]).item() == pytest.approx(0.01, abs=1e-5)
            assert (half.sample(*ends) - exact).abs().max() < 1e-3


def test_one_step_ends_on_the_predicted_mel(problem):
    process = ReverseDiffusion(problem.diffusion, problem.condition)
    found = samplers.dpmpp(process, problem.start, [0.97 * 0.5, 0.0])
    assert torch.equal(found, samplers.unipc(process, problem.start, [0.5, 0.0]))
    t = torch.tensor([0.97 * 0.5])
    signal = torch.exp(-0.5 * SCHEDULE.integral(t))
    variance = 1 - signal.square()
    mu = problem.condition.mu
    tweedie = mu + (problem.start - mu + variance * score(problem.start, mu, t)) / signal
    assert (found - tweedie).abs().max() < 1e-4


@pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - set(DETERMINISTIC)))
def test_a_stochastic_solver_draws_from_the_data(problem, name):
    process = ReverseDiffusion(problem.diffusion, problem.condition, problem.noise)
    found, again = (SAMPLERS[name](process, problem.start, time_grid(100)) for _ in range(2))
    residual = found - problem.condition.mu
    assert residual.mean().item() == pytest.approx(SHIFT, abs=0.04)
    assert residual.var().item() == pytest.approx(VARIANCE, abs=0.04)
    assert (found - again).abs().mean() > 0.1


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_answers_to_its_name_and_clears_padding(problem, name):
    mask = (torch.arange(SHAPE[2]) < 300).float()[None, None]
    condition = Condition(problem.condition.mu * mask, mask)
    settings = SynthesisSpec(sampler=name, steps=40)
    found = problem.diffusion.sample(problem.start, condition, settings, problem.noise)
    assert found[..., 300:].abs().sum() == 0
    assert (found - condition.mu)[..., :300].mean().item() == pytest.approx(SHIFT, abs=0.2)


def test_a_sampler_that_is_not_registered_is_refused():
    assert list(SAMPLERS) == ["unipc", "dpmpp", "ddim", "euler", "sde", "ml"]
    assert SAMPLERS.keys() - set(DETERMINISTIC) == {"sde", "ml"}
    with pytest.raises(ValidationError, match="unipc, dpmpp, ddim, euler, sde or ml"):
        SynthesisSpec(sampler="heun")
    with pytest.raises(ValidationError, match="unipc, dpmpp, ddim or euler"):
        OnnxSpec(sampler="sde")


def test_the_grid_bends():
    assert time_grid(4, 2.0) == [1.0, 0.5625, 0.25, 0.0625, 0.0]
    dense = time_grid(4, 0.5)
    assert all(earlier > later for earlier, later in pairwise(dense))
    assert dense[1] > 0.75
