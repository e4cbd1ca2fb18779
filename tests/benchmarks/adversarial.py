"""Adversarial steps of a score network through the few steps that it speaks in (Liu et al., DiffGAN-TTS, 2022).

Discriminators see pieces of three widths of what is left beside the frame-level mean, and the mean. They learn by least
squares (Mao et al., 2017); the score network learns to be taken for a recording, to be seen as the recording is seen,
and by its absolute distance.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from voxgrad.model.diffusion import Condition, ReverseDiffusion
from voxgrad.model.gradtts import GradTTS
from voxgrad.samplers import time_grid, unipc

WIDTHS, STEPS = (32, 64, 128), 2


class Discriminator(nn.Module):
    """Of pieces of one width."""

    def __init__(self, width: int, deviation: float):
        super().__init__()
        self.width, self.deviation = width, deviation
        norm, channels, strides = parametrizations.weight_norm, (2, 32, 48, 64, 64), ((1, 2), (2, 2), (2, 2), 1)
        self.layers = nn.ModuleList(
            norm(nn.Conv2d(channels[i], channels[i + 1], 3 if i else 5, strides[i], 1 if i else 2)) for i in range(4)
        )
        self.output = norm(nn.Conv2d(channels[-1], 1, 3, padding=1))

    def forward(self, mel: Tensor, mu: Tensor, start: int) -> tuple[Tensor, list[Tensor]]:
        x = torch.stack([(mel - mu) / self.deviation, mu * 0.4], 1)[..., start : start + self.width]
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.output(x), features


def discriminators(model: GradTTS) -> nn.ModuleList:
    return nn.ModuleList(Discriminator(width, model.spec.sigma_data) for width in WIDTHS)


def generate(model: GradTTS, condition: Condition, noise: Tensor, temperature: float) -> Tensor:
    process = ReverseDiffusion(model.decoder, condition)
    return unipc(process, condition.mu + temperature * noise, time_grid(STEPS))


def starts(judges: nn.ModuleList, generator: torch.Generator) -> list[int]:
    """Where each discriminator looks in crops of 128 frames."""
    return [int(torch.randint(129 - one.width, (), generator=generator)) for one in judges]


def judged_loss(judges: nn.ModuleList, real: Tensor, fake: Tensor, mu: Tensor, at: list[int]) -> Tensor:
    """What the discriminators minimise."""
    loss = torch.zeros(())
    for judge, start in zip(judges, at, strict=True):
        loss = loss + (1 - judge(real, mu, start)[0]).square().mean()
        loss = loss + judge(fake.detach(), mu, start)[0].square().mean()
    return loss


def generated_loss(
    judges: nn.ModuleList, real: Tensor, fake: Tensor, condition: Condition, at: list[int], weight: float
) -> Tensor:
    """What the score network minimises: distance, and ``weight`` times what the discriminators make of it."""
    mask = condition.mask
    loss = ((fake - real).abs() * mask).sum() / (mask.sum() * real.shape[1])
    for judge, start in zip(judges, at, strict=True) if weight else ():
        said, features = judge(fake, condition.mu, start)
        wanted = judge(real, condition.mu, start)[1]
        matched = sum((a - b.detach()).abs().mean() for a, b in zip(features, wanted, strict=True))
        loss = loss + weight * (2 * (1 - said).square().mean() + 4 * matched)
    return loss


def energy_distance(fake: Tensor, other: Tensor, real: Tensor, condition: Condition) -> Tensor:
    """Of two samples and a recording, frame by frame (Gritsenko et al., 2020); least where samples spread alike."""
    apart = [(a - b).square().sum(1).add(1e-6).sqrt() for a, b in ((fake, real), (other, real), (fake, other))]
    frames = condition.mask[:, 0]
    return (0.5 * (apart[0] + apart[1] - apart[2]) * frames).sum() / frames.sum() / 9
