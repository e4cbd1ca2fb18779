"""The noise schedule: how much of the mel is left at a time, and how much noise there is.

Equations are those of Popov et al., 2021.
"""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

TIME_MARGIN = 1e-5
"""Times are kept this far from 0 and 1, where the score has no bounded variance."""

Time = TypeVar("Time", Tensor, float)


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

    def variance(self, t: Tensor) -> Tensor:
        """λ_t, the variance of x_t given x_0 (equation 10)."""
        return 1.0 - torch.exp(-self.integral(t))
