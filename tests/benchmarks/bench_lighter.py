"""Distils the base `english` into one of fewer blocks, part by part: docs/research/speed.md, "A lighter network".

    python tests/benchmarks/bench_lighter.py SPEECH WORK --train encoder,pitch,mean,score --seconds 600
    python tests/benchmarks/bench_lighter.py SPEECH WORK --measure encoder --measure encoder,score
    python tests/benchmarks/bench_lighter.py SPEECH WORK --publish lighter --parts encoder,score

Every part begins as evenly chosen blocks of the teacher's and learns to say what the teacher's says from the same
inputs, so that any of them may be adopted. SPEECH holds `libri`, `kokoro`, `kathleen` and `texts`; WORK keeps
recordings and checkpoints, from which the same command goes on, with more seconds too. One thread; seconds are the
processor's, of every part. Other sizes, of ModelSpec: --set score_blocks=5.
"""

import argparse
import hashlib
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from bench_person import Average, descend
from lighter_material import CROP, Material, by_frame, encoded, spoken
from person_speech import CPU, base
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.device import autocast
from voxgrad.model.diffusion import ReverseDiffusion
from voxgrad.model.gradtts import GradTTS
from voxgrad.packing import WEIGHTS
from voxgrad.samplers import time_grid, unipc
from voxgrad.store import Store
from voxgrad.training.dataset import generator_for

PARTS = {"encoder": "encoder.", "pitch": "frame_prior.pitch_", "mean": "frame_prior.mean_", "score": "decoder."}
BLOCKS = {"encoder": "n_enc_layers", "pitch": "pitch_blocks", "mean": "frame_blocks", "score": "score_blocks"}
SIZES = {"n_enc_layers": 3, "pitch_blocks": 2, "frame_blocks": 3, "score_blocks": 4}
SENTENCES = {"encoder": 8, "pitch": 6, "mean": 6, "score": 4}
RATES = {"encoder": 6e-4, "pitch": 1e-3, "mean": 1e-3, "score": 8e-4}
TEMPERATURE = 0.2
VISITED = (0.97, 0.485)
"""The times at which two steps of UniPC ask the score network."""
_NUMBERED = re.compile(r"(?:(?:attn|ffn)_layers|norm_layers_[12]|blocks)\.(\d+)\.")


def student(given: argparse.Namespace, parts: Sequence[str]) -> GradTTS:
    """The teacher with smaller parts, as they were distilled, or else with evenly chosen blocks of its own."""
    teacher = base().model
    spec = teacher.spec.model_copy(update={BLOCKS[part]: given.sizes[BLOCKS[part]] for part in parts})
    model, weights, chosen = GradTTS(spec), teacher.state_dict(), {}
    for name in model.state_dict():
        part = next((part for part, prefix in PARTS.items() if name.startswith(prefix)), None)
        numbered, source = _NUMBERED.search(name), name
        if part and numbered:
            ours, theirs = (getattr(one, BLOCKS[part]) for one in (spec, teacher.spec))
            block = round(int(numbered[1]) * (theirs - 1) / max(1, ours - 1))
            source = f"{name[: numbered.start(1)]}{block}{name[numbered.end(1) :]}"
        chosen[name] = weights[source]
    model.load_state_dict(chosen)
    for part in parts:
        if (given.work / f"{part}.pt").exists():
            model.load_state_dict(torch.load(given.work / f"{part}.pt")["average"], strict=False)
    return model.eval()


def squared(ours: Tensor, theirs: Tensor, mask: Tensor) -> Tensor:
    mask = mask.expand_as(theirs)
    return ((ours - theirs.float()).square() * mask).sum() / mask.sum()


def relative(ours: Tensor, theirs: Tensor, mask: Tensor) -> Tensor:
    """Squared error over the variance of what is asked for."""
    return squared(ours, theirs, mask) / squared(theirs[mask.expand_as(theirs) > 0].mean(), theirs, mask)


def encoder_losses(model: GradTTS, material: Material, _: int, generator: torch.Generator) -> dict[str, Tensor]:
    said = material.spoken(SENTENCES["encoder"], generator)
    theirs, ours = said.prior, encoded(model, said.tokens, said.prior.mask, said.speaker)
    return {
        "hidden": relative(ours.hidden, theirs.hidden, theirs.mask),
        "mu_x": 2 * squared(ours.mu_x, theirs.mu_x, theirs.mask),
        "logw": 4 * squared(ours.logw, theirs.logw, theirs.mask[:, 0]),
    }


def pitch_losses(model: GradTTS, material: Material, step: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Without the slope, small errors that change from frame to frame are heard as roughness."""
    frames = material.frames(SENTENCES["pitch"], generator, recordings=step % 4 == 0)
    with torch.no_grad():
        z, voicing = base().model.frame_prior.predict_pitch(frames.inputs, frames.mask)
    ours, logits = model.frame_prior.predict_pitch(frames.inputs, frames.mask)
    mask, voiced = frames.mask[..., 0], voicing.sigmoid()
    weight = mask * (voiced + 0.05)
    unsure = F.binary_cross_entropy_with_logits(logits, voiced, reduction="none")
    return {
        "z": 2 * squared(ours, z, weight),
        "slope": 20 * squared(ours.diff(), z.diff(), weight[:, 1:] * weight[:, :-1]),
        "voicing": (unsure * mask).sum() / mask.sum(),
    }


def mean_losses(model: GradTTS, material: Material, step: int, generator: torch.Generator) -> dict[str, Tensor]:
    frames = material.frames(SENTENCES["mean"], generator, recordings=step % 2 == 0)
    with torch.no_grad():
        theirs = frames.mean(base().model)
    ours = frames.mean(model)
    mu = 4 * squared(ours.mu, theirs.mu, frames.mask.transpose(1, 2))
    return {"mu": mu, "features": relative(ours.features, theirs.features, frames.mask)}


def score_losses(model: GradTTS, material: Material, step: int, generator: torch.Generator) -> dict[str, Tensor]:
    """The network's output: in three steps of four for what two steps visit, else for recordings and any noise."""
    frames = material.frames(SENTENCES["score"], generator, recordings=step % 2 == 0)
    theirs, ours = base().model.decoder.estimator, model.decoder.estimator
    kind = ("any", "first", "second", "second")[step % 4]
    with torch.no_grad():
        start = int(torch.randint(max(1, frames.mask.shape[1] - CROP + 1), (), generator=generator))
        part = slice(start, start + CROP)
        condition = frames.condition(frames.mean(base().model), part)
        noise, count = torch.randn(condition.mu.shape, generator=generator), len(condition.mu)
        if kind == "any":
            t = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
            r_t = base().model.decoder.diffuse(frames.y[:, :, part], condition.mu, t, noise) - condition.mu
        else:
            temperature = TEMPERATURE * torch.exp(0.5 * torch.randn(count, 1, 1, generator=generator))
            t, r_t = torch.full((count,), VISITED[0]), temperature * noise
        r_t = condition.clear(r_t)
        skip, out, scale = theirs.scales(t)
        if kind == "second":
            predicted = skip * r_t + out * theirs.network(scale * r_t, t, condition)
            (a, s), (b, r) = (theirs.schedule.level(time) for time in VISITED)
            t, r_t = torch.full((count,), VISITED[1]), r / s * r_t + (b - r * a / s) * predicted
            scale = theirs.scales(t)[2]
        target = theirs.network(scale * r_t, t, condition)
    return {kind: squared(ours.network(scale * r_t, t, condition), target, condition.mask)}


LOSSES = {"encoder": encoder_losses, "pitch": pitch_losses, "mean": mean_losses, "score": score_losses}


def train(given: argparse.Namespace, part: str, material: Material) -> None:
    """Goes on until so many seconds have been spent on a part."""
    model, path = student(given, [part]), given.work / f"{part}.pt"
    model.requires_grad_(requires_grad=False)
    learnt = {name: p.requires_grad_() for name, p in model.named_parameters() if name.startswith(PARTS[part])}
    optimizer = torch.optim.AdamW([{"params": list(learnt.values())}], fused=True, weight_decay=0.0)
    average, step, before = Average(list(learnt.values()), 0.995), 0, 0.0
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["weights"], strict=False)
        optimizer.load_state_dict(saved["optimizer"])
        average.values, average.updates = [saved["average"][name] for name in learnt], saved["step"]
        step, before = saved["step"], saved["seconds"]
    began, sums = time.process_time(), dict[str, list[float]]()
    spent = before
    while spent < given.seconds:
        with autocast(CPU, "auto"):
            losses = LOSSES[part](model, material, step, generator_for(given.seed, step))
            loss = torch.stack(list(losses.values())).sum()
        warm, cosine = min(1.0, (spent - before) / 10), 0.5 + 0.5 * math.cos(math.pi * spent / given.seconds)
        descend(loss, optimizer, RATES[part] * warm * (0.02 + 0.98 * cosine))
        average.update()
        for name, value in losses.items():
            sums.setdefault(name, []).append(float(value.detach()))
        step, spent = step + 1, before + time.process_time() - began
        if step % 40 == 0:
            print(part, step, f"{spent:.0f} s", *(f"{n} {sum(v) / len(v):.4f}" for n, v in sums.items()), flush=True)
            sums.clear()
        if step % 200 == 0 or spent >= given.seconds:
            content = {"weights": {name: p.detach() for name, p in learnt.items()}, "step": step, "seconds": spent}
            content |= {"average": dict(zip(learnt, average.values, strict=True)), "optimizer": optimizer.state_dict()}
            torch.save(content, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").rename(path)


@torch.no_grad()
def measure(given: argparse.Namespace, parts: Sequence[str], material: Material) -> None:
    """Prints how far 48 texts of no training are from the teacher's, root mean square; of mels the mean distance."""
    teacher, model, total = base().model, student(given, parts), dict[str, list[float]]()
    for batch in range(6):
        said = spoken(material.held_out[8 * batch : 8 * batch + 8], generator_for(11, batch))
        with autocast(CPU, "auto"):
            prior = encoded(model, said.tokens, said.prior.mask, said.speaker)
            mels, scores = [], []
            for one, frames in ((teacher, by_frame(said)), (model, by_frame(said, prior, model))):
                scores.append(frames.pitch)
                mean = frames.mean(one)
                noise = TEMPERATURE * torch.randn(mean.mu.shape, generator=generator_for(7, batch))
                process = ReverseDiffusion(one.decoder, frames.condition(mean))
                mels.append((mean.mu, unipc(process, mean.mu + noise, time_grid(2))))
        mask, voiced = frames.mask.transpose(1, 2), frames.mask[..., 0] * scores[0].voiced * scores[1].voiced
        ours, theirs = (one.log_f0 * 12 / math.log(2) for one in reversed(scores))
        found = {
            "mu_x": squared(prior.mu_x, said.prior.mu_x, prior.mask).sqrt(),
            "logw": squared(prior.logw, said.prior.logw, prior.mask[:, 0]).sqrt(),
            "semitones": squared(ours, theirs, voiced).sqrt(),
            "slope": squared(ours.diff(), theirs.diff(), voiced[:, 1:] * voiced[:, :-1]).sqrt(),
        }
        for name, theirs, ours in zip(("mean", "mel"), *mels, strict=True):
            found[name] = ((ours - theirs).abs() * mask).sum() / (mask.sum() * theirs.shape[1])
        for name, value in found.items():
            total.setdefault(name, []).append(float(value))
    count = sum(p.numel() for p in model.parameters()) / 1e6
    print(
        "+".join(parts), f"{count:.1f} M:", *(f"{name} {sum(v) / len(v):.4f}" for name, v in total.items()), flush=True
    )


def publish(given: argparse.Namespace, parts: Sequence[str]) -> None:
    """Makes a base of the teacher with these parts."""
    model, store, source = student(given, parts), Store.open(), Store.open().find("english", "base")
    spec = base().spec.model_copy(update={"model": model.spec})
    with store.stage("base", given.publish) as staged:
        AcousticModel(model, spec).write(staged.directory, packed=True)
        distilled = {part: round(torch.load(given.work / f"{part}.pt")["seconds"]) for part in parts}
        settings = source.manifest.settings | {"acoustic": spec.model_dump(), "distilled_seconds": distilled}
        digest = hashlib.sha256((staged.directory / WEIGHTS).read_bytes()).hexdigest()
        print(staged.publish(fingerprint=digest, settings=settings, licence=source.manifest.licence))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--train", default="")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--measure", action="append", default=[])
    parser.add_argument("--publish", default="")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--without", type=Path, help="sentences that are not learnt from")
    parser.add_argument("--set", nargs="*", default=[], metavar="SIZE=NUMBER")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.sizes = SIZES | {name: int(number) for name, _, number in (one.partition("=") for one in given.set)}
    given.work.mkdir(parents=True, exist_ok=True)
    material = Material(given) if given.train or given.measure else None
    for part in filter(None, given.train.split(",")):
        train(given, part, material)
    for parts in given.measure:
        measure(given, parts.split(","), material)
    if given.publish:
        publish(given, given.parts.split(","))


if __name__ == "__main__":
    main()
