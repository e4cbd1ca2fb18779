"""A step of training and its parts, beside the same mathematics by the plain path: `make bench`, or run this file.

    python tests/benchmarks/bench_training.py [--batch N] [--crop N] [--repeats N] [--threads N]

The network has the official size and random weights; the utterances are made up, three seconds of about 40 phones each
on average. The plain path computes in float32, with the official operations one after the other and the optimizer as
torch has it by default. All are run in turns, so that whatever else the machine does hits all alike.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from unittest.mock import patch

import torch
from official import official_operations

from voxgrad.device import autocast
from voxgrad.model import mas
from voxgrad.model.diffusion import padded_length
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import LossWeights, ModelSpec, StageSpec
from voxgrad.training.dataset import Batch, generator_for
from voxgrad.training.losses import full_losses, parameters_of
from voxgrad.training.optim import ProcessGroup, optimizer_step

FULL, ENCODER = ("encoder", "durations", "decoder"), ("encoder", "durations")


def made_up(size: int) -> Batch:
    """Utterances of 2 to 4 seconds, with a blank around every phone."""
    generator = torch.Generator().manual_seed(0)
    token_lengths = torch.randint(60, 110, (size,), generator=generator)
    frame_lengths = (token_lengths * 3.1).long()
    frames = padded_length(int(frame_lengths.max()))
    return Batch(
        torch.randint(1, 148, (size, int(token_lengths.max())), generator=generator),
        token_lengths,
        torch.randn(size, 80, frames, generator=generator),
        frame_lengths,
        torch.zeros(size, dtype=torch.long),
    )


def official_log_prior(mu_x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """All terms of the log-likelihood, as the official code adds them up; time-major for our search."""
    constant = -0.5 * math.log(2 * math.pi) * mu_x.shape[1]
    ones = torch.ones_like(mu_x)
    squares = -0.5 * (ones.transpose(1, 2) @ y.square())
    product = mu_x.transpose(1, 2) @ y
    means = -0.5 * mu_x.square().sum(1)[:, :, None]
    return (squares + product + means + constant).transpose(1, 2)


def stepper(train: tuple[str, ...], batch: Batch, crop: int, *, plain: bool) -> Callable[[], None]:
    """What takes one step of a fresh model."""
    torch.manual_seed(0)
    model = GradTTS(ModelSpec()).train()
    stage = StageSpec(train=train, steps=1, crop=crop, batch_size=len(batch.tokens), alignment="every_step")
    parts = parameters_of(model, stage)
    every = [parameter for part in parts.values() for parameter in part]
    optimizer = torch.optim.AdamW(every, lr=1e-4, fused=None if plain else True)
    scale, device = ProcessGroup(), torch.device("cpu")

    def step() -> None:
        context = official_operations() if plain else nullcontext()
        prior = patch.object(mas, "log_prior", official_log_prior) if plain else nullcontext()
        with context, prior, autocast(device, "float32" if plain else "auto"):
            losses, _ = full_losses(model, batch, stage, "gaussian", None, generator_for(0), scale)
            optimizer_step(losses.total(LossWeights()), parts.values(), optimizer, 1.0, scale)

    return step


def main() -> None:
    """Measures and prints a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--crop", type=int, default=172)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    batch = made_up(given.batch)
    steps = {
        "full, plain": stepper(FULL, batch, given.crop, plain=True),
        "full": stepper(FULL, batch, given.crop, plain=False),
        "encoder stage, plain": stepper(ENCODER, batch, given.crop, plain=True),
        "encoder stage": stepper(ENCODER, batch, given.crop, plain=False),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(given.repeats + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if turn:  # the first turn compiles and allocates
                taken[name].append(time.perf_counter() - began)
    whole = statistics.median(taken["full, plain"])
    title = f"a step of batch {given.batch}, crop {given.crop}, {given.threads} threads"
    print(f"| {title} | seconds | times faster than the full plain one |")
    print("| --- | --- | --- |")
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"| {name} | {middle:.2f} ({min(seconds):.2f} to {max(seconds):.2f}) | {whole / middle:.1f} |")


if __name__ == "__main__":
    main()
