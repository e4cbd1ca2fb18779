"""How `bench_person.py` adapts a base to a person: the decoder's stage of `fast`, varied, and steps after it."""

import argparse
import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from adversarial import discriminators, energy_distance, generate, generated_loss, judged_loss, starts
from person_speech import Recording, Recordings, changed, known_speech
from reference_attention import ReferenceAttention, drawn_pairs, pair_losses
from torch import Tensor, nn
from torch.nn.utils import parametrize

from voxgrad.model.diffusion import Condition, length_mask
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import StageSpec
from voxgrad.training.dataset import Alignment, Corpus, Crops, collate_crops, generator_for
from voxgrad.training.losses import Losses, frame_condition, frame_losses, frame_mean
from voxgrad.training.optim import learning_rate

BATCH, CROP, STEPS = 4, 96, 60


class Person(NamedTuple):
    """Somebody after what `finetune` does before it trains."""

    name: str
    row: int
    weights: dict[str, Tensor]
    pitch: Tensor
    alignments: dict[str, Alignment]
    learnt: list[Recording]
    judged: list[Recording]


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, rate: float) -> None:
    """One step, every group with a bound on its gradient's norm and its own multiple of the rate."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    for group in optimizer.param_groups:
        nn.utils.clip_grad_norm_(group["params"], 1.0)
        group["lr"] = rate * group.get("multiple", 1.0)
    optimizer.step()


class Average:
    """An exponential moving average of some parameters."""

    def __init__(self, parameters: list[nn.Parameter], decay: float):
        self.parameters, self.decay, self.updates = parameters, decay, 0
        self.values = [parameter.detach().clone() for parameter in parameters]

    def update(self):
        self.updates += 1
        decay = min(self.decay, self.updates / (9 + self.updates))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.parameters], 1 - decay)

    def apply(self):
        for parameter, value in zip(self.parameters, self.values, strict=True):
            parameter.data.copy_(value)


class LowRank(nn.Module):
    """W + up down (Hu et al., 2021)."""

    def __init__(self, weight: Tensor, rank: int):
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight):
        return weight + self.up @ self.down


def learning(model: GradTTS, parts: Sequence[str], rank: int) -> tuple[list[nn.Parameter], list[nn.Linear]]:
    """The parameters that learn, and the layers that learn by low rank."""
    prior = model.frame_prior
    modules = [prior.mean_input, prior.mean_blocks, prior.mean_norm, prior.mean_output] if "mean" in parts else []
    modules += [model.decoder.estimator] if "score" in parts else []
    model.requires_grad_(requires_grad=False)
    layers = [layer for one in modules for layer in one.modules() if isinstance(layer, nn.Linear) and rank]
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))
    found = [p for layer in layers for p in (layer.bias, *layer.parametrizations.weight[0].parameters())]
    found = found or [p for one in modules for p in one.parameters()]
    for parameter in found:
        parameter.requires_grad_()
    return found, layers


def adapt(
    model: GradTTS,
    person: Person,
    *,
    steps: int = STEPS,
    rate: float = 4e-4,
    decay: float = 0.0,
    rank: int = 0,
    jitter: bool = False,
    parts: Sequence[str] = ("mean", "score"),
    seed: int = 0,
    attention: ReferenceAttention | None = None,
) -> None:
    """The decoder's stage of `fast`, with what an arm changes.

    Args:
        decay: towards the weights that it begins with, as a multiple of the learning rate (L2-SP, Li et al., 2018).
        rank: of the changes to all linear layers; 0 for none.
        jitter: learn from three more copies of every clip, at slightly other pitches and formants.
        parts: what learns.
        attention: of the model; it looks at other parts of the person's recordings, and learns nothing.
    """
    learnt, alignments = list(person.learnt), dict(person.alignments)
    drawn = random.Random(3)
    for one in person.learnt if jitter else ():
        for copied in range(3):
            name = f"{one.clip.id}~{copied}"
            factors = (math.exp(drawn.uniform(-0.06, 0.06)), math.exp(drawn.uniform(-0.03, 0.03)))
            learnt.append(changed(one, name, person.name, *factors))
            alignments[name] = alignments[one.clip.id]
    torch.manual_seed(seed)
    parameters, layers = learning(model, parts, rank)
    start, average = [p.detach().clone() for p in parameters], Average(parameters, 0.98)
    optimizer = torch.optim.AdamW(parameters, fused=True)
    stage = StageSpec(train=("decoder",), steps=max(steps, 1), learning_rate=rate, warmup=20)
    corpus = Recordings(learnt)
    for step in range(steps):
        generator, rows = generator_for(seed, step), {person.name: person.row}
        model.train()
        if tuple(parts) == ("mean",):
            loss = mean_loss(model, drawn_crops(corpus, alignments, rows, BATCH, generator))
        elif attention is not None:
            pairs = drawn_pairs(corpus, alignments, rows, BATCH, generator, CROP)
            losses = pair_losses(model, attention, pairs, generator)
            loss = losses.mean + losses.diffusion
        else:
            losses = decoder_losses(model, drawn_crops(corpus, alignments, rows, BATCH, generator), generator)
            loss = losses.mean + losses.diffusion
        now = learning_rate(stage, step)
        descend(loss, optimizer, now)
        for parameter, value in zip(parameters, start, strict=True):
            parameter.data.lerp_(value, min(1.0, now * decay))
        average.update()
    average.apply()
    for layer in layers:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    model.eval()


def adapt_few_steps(given: argparse.Namespace, model: GradTTS, person: Person, after: str, also: Sequence[str]) -> None:
    """Steps after `adapt`, of the score network through the two steps that it speaks in.

    Args:
        after: ``"distance"`` by absolute distance alone; ``"energy"`` by the energy distance of two samples;
            ``"own"`` with discriminators of the base (`bench_person_base.py discriminators`), which go on learning
            from the person; ``"known"`` also from people of the base, as this model says them.
        also: what learns beside the score network.
    """
    torch.manual_seed(given.seed)
    parameters, _ = learning(model, ("score", *also), 0)
    average, known = Average(parameters, 0.95), known_speech(given) if after == "known" else None
    optimizer = torch.optim.AdamW([{"params": parameters}], betas=(0.5, 0.9))
    judges = discriminators(model)
    judges.load_state_dict(torch.load(given.work / "discriminators-judges.pt"))
    theirs = torch.optim.AdamW(judges.parameters(), 2e-4, (0.5, 0.9))
    corpus, rows = Recordings(person.learnt), {person.name: person.row}
    model.eval()

    def said(crops: Crops, condition: Condition, generator: torch.Generator) -> Tensor:
        return generate(model, condition, torch.randn(crops.y.shape, generator=generator), given.temperature)

    for step in range(given.after):
        generator = generator_for(given.seed, 1000 + step)
        crops = drawn_crops(corpus, person.alignments, rows, BATCH, generator, 128)
        condition = condition_of(model, crops) if not also else frame_condition(model, crops)
        fake = said(crops, condition, generator)
        at = starts(judges, generator)
        if after in {"own", "known"}:
            judged = judged_loss(judges, crops.y, fake, condition.mu, at)
            if known:
                others = drawn_crops(known.corpus, known.alignments, known.rows, BATCH, generator, 128)
                with torch.no_grad():
                    heard = condition_of(model, others)
                    copies = said(others, heard, generator)
                judged = judged + judged_loss(judges, others.y, copies, heard.mu, at)
            theirs.zero_grad()
            judged.backward()
            theirs.step()
        if after == "energy":
            loss = energy_distance(fake, said(crops, condition, generator), crops.y, condition)
        else:
            loss = generated_loss(judges, crops.y, fake, condition, at, float(after != "distance"))
        descend(loss, optimizer, 1e-4 * min(1.0, (step + 1) / 10))
        average.update()
    average.apply()


def decoder_losses(model: GradTTS, crops: Crops, generator: torch.Generator) -> Losses:
    """The losses of `finetune` with times stratified over the batch."""
    size = len(crops.y)
    t = (torch.randperm(size, generator=generator) + torch.rand(size, generator=generator)) / size
    return frame_losses(model, crops, t, torch.randn(crops.y.shape, generator=generator))


def mean_loss(model: GradTTS, crops: Crops) -> Tensor:
    """Squared distance of the frame-level mean."""
    mask = length_mask(crops.lengths, crops.y.shape[2])
    return ((frame_mean(model, crops)[0].mu - crops.y).square() * mask).sum() / (mask.sum() * crops.y.shape[1])


def drawn_crops(
    corpus: Corpus,
    alignments: Mapping[str, Alignment],
    rows: Mapping[str, int],
    count: int,
    generator: torch.Generator,
    crop: int = CROP,
) -> Crops:
    """Pieces of clips that are drawn at random."""
    clips = [corpus.clips[i] for i in torch.randint(len(corpus.clips), (count,), generator=generator)]
    return collate_crops(corpus, clips, alignments, crop, rows, generator)


@torch.no_grad()
def condition_of(model: GradTTS, crops: Crops) -> Condition:
    return frame_condition(model, crops)
