"""Solvers of the reverse diffusion, from N(mu, I) back to a mel."""

import torch
from torch import Tensor

from voxgrad.model.diffusion import Condition, Diffusion


def euler(
    diffusion: Diffusion,
    start: Tensor,
    condition: Condition,
    steps: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Euler's method at midpoint times, as the official code does it.

    Without a generator it solves the probability-flow ODE (Popov et al., 2021, equation 8),
    dX = ½(μ − X − s(X, μ, t)) β dt; with one the reverse SDE (equation 6),
    dX = (½(μ − X) − s(X, μ, t)) β dt + √β dW̃.

    Args:
        diffusion: the trained score network with its schedule.
        start: x_1, (batch, n_feats, frames).
        condition: prior mean, masks, speaker.
        steps: evaluations of the network.
        generator: source of the SDE's noise, or None for the ODE.

    Returns:
        x_0, (batch, n_feats, frames), zero on padding.
    """
    width = 1.0 / steps
    mask = start.new_ones(()) if condition.mask is None else condition.mask
    x = start * mask
    for step in range(steps):
        t = start.new_full((start.shape[0],), 1.0 - (step + 0.5) * width)
        beta = diffusion.schedule.beta(t)[:, None, None]
        score = condition.score(diffusion.estimator, x, t).float()
        if generator is None:
            change = 0.5 * (condition.mu - x - score) * (beta * width)
        else:
            noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            change = (0.5 * (condition.mu - x) - score) * (beta * width) + noise * (beta * width).sqrt()
        x = (x - change) * mask
    return x
