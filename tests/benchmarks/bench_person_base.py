"""Continues the base for minutes in several ways, for `bench_person.py --base ARM`.

    python tests/benchmarks/bench_person_base.py SPEECH WORK plain,variants --seconds 70
    python tests/benchmarks/bench_person_base.py SPEECH WORK adversarial --seconds 280
    python tests/benchmarks/bench_person_base.py SPEECH WORK readers --seconds 1500
    python tests/benchmarks/bench_person_base.py SPEECH WORK people --more FOLDER --seconds 1500

`readers` trains mean and score network on every reader whom the base knows, and a third as often on voices of Kokoro;
`people` half on people whom the base does not know, of a FOLDER with a metadata.csv of `file|text|speaker`. `plain`
trains the frame-level mean on readers whom the base knows; `variants` on sixty of them twice more, with other formants
and pitches, each a speaker of its own; `adversarial` trains the score network, `discriminators` what
judges it. One thread; seconds are the processor's.
"""

import argparse
import copy
import math
import random
import time
from dataclasses import replace
from pathlib import Path

import torch
from adversarial import discriminators, generate, generated_loss, judged_loss, starts
from person_adaptation import (
    BATCH,
    Average,
    condition_of,
    decoder_losses,
    descend,
    drawn_crops,
    learning,
    mean_loss,
)
from person_speech import CPU, Known, Recordings, base, changed, known_speech, listed, recorded
from torch import nn

from voxgrad.errors import VoxgradError
from voxgrad.model.gradtts import GradTTS
from voxgrad.training import speaker_adaptation
from voxgrad.training.alignment import align_unknown_speakers, expanded
from voxgrad.training.dataset import generator_for


def with_variants(given: argparse.Namespace, known: Known, model: GradTTS) -> Known:
    """Sixty readers twice more, each a speaker with a row of its own: longer and lower, shorter and higher."""
    cached, drawn = given.work / "variants.pt", random.Random(5)
    readers = [one for one in known.corpus.all.values() if one.clip.speaker.startswith("libri")][:60]
    if not cached.exists():
        made = []
        for one in readers:
            for name, formants, pitch in (
                ("low", (0.85, 0.95), (-0.25, 0.1)),
                ("high", (1.06, 1.2), (-0.1, 0.3)),
            ):
                factors = (math.exp(drawn.uniform(*pitch)), drawn.uniform(*formants))
                made.append(changed(one, f"{one.clip.id}~{name}", f"{one.clip.speaker}~{name}", *factors))
        torch.save(made, cached)
    variants = torch.load(cached, weights_only=False)
    alignments, rows = dict(known.alignments), dict(known.rows)
    embedding, prior = model.spk_emb.weight.detach(), model.frame_prior
    for row, one in enumerate(variants, len(embedding)):
        source = known.rows[one.clip.speaker.split("~")[0]]
        found = alignments[one.clip.id.split("~")[0]]
        stretch, shift = speaker_adaptation._fitted(found.mu_x.repeat_interleave(found.durations, 1), one.mel)
        alignments[one.clip.id] = replace(found, mu_x=found.mu_x * stretch[:, None] + shift[:, None])
        rows[one.clip.speaker] = row
        voiced = one.log_f0[one.log_f0 > 0]
        statistics = torch.stack([voiced.mean(), voiced.std().clamp(min=0.05)])
        prior.pitch_statistics = torch.cat([prior.pitch_statistics, statistics[None]])
        embedding = torch.cat([embedding, embedding[source : source + 1]])
    model.spk_emb = nn.Embedding.from_pretrained(embedding, freeze=False)
    return Known(Recordings([*known.corpus.all.values(), *variants]), alignments, rows)


def train_mean(given: argparse.Namespace, arm: str) -> None:
    """Continues the frame-level mean for so many seconds; score network and encoder stay."""
    model, known = copy.deepcopy(base().model), known_speech(given)
    known = with_variants(given, known, model) if arm == "variants" else known
    parameters, _ = learning(model, ("mean",), 0)
    groups = [{"params": parameters}]
    if arm == "variants":
        model.spk_emb.weight.requires_grad_()
        groups.append({"params": [model.spk_emb.weight], "multiple": 5.0, "weight_decay": 0.0})
    optimizer, average, step = torch.optim.AdamW(groups), Average(parameters, 0.995), 0
    began = time.process_time()
    while (spent := time.process_time() - began) < given.seconds:
        generator = generator_for(given.seed, step)
        crops = drawn_crops(known.corpus, known.alignments, known.rows, 4 * BATCH, generator)
        model.train()
        warm, cosine = min(1.0, spent / 20), 0.5 + 0.5 * math.cos(math.pi * spent / given.seconds)
        descend(mean_loss(model, crops), optimizer, 4e-4 * warm * (0.05 + 0.95 * cosine))
        average.update()
        step += 1
    average.apply()
    print(f"{arm}: {step} steps", flush=True)
    save(given, model, arm, "frame_prior.mean")


def train_readers(given: argparse.Namespace, arm: str) -> None:
    """Continues mean and score network: on readers in three of four crops, so that voices are not unlearnt; or on
    people whom the base does not know in half of them.
    """
    model, known = copy.deepcopy(base().model), known_speech(given, every=1)
    known = with_people(given, known, model) if arm == "people" else known
    parameters, _ = learning(model, ("mean", "score"), 0)
    groups = [{"params": parameters}]
    if arm == "people":
        model.spk_emb.weight.requires_grad_()
        groups.append({"params": [model.spk_emb.weight], "multiple": 5.0, "weight_decay": 0.0})
    optimizer, average, step = torch.optim.AdamW(groups), Average(parameters, 0.995), 0
    sorted_clips: dict[str, list] = {"people": [], "readers": [], "voices": []}
    for clip in known.corpus.clips:
        new = known.rows[clip.speaker] >= len(base().model.spk_emb.weight)
        kind = "people" if new else "readers" if clip.speaker.startswith("libri") else "voices"
        sorted_clips[kind].append(clip)
    counts = {"people": 4, "readers": 2, "voices": 2} if arm == "people" else {"readers": 6, "voices": 2}
    parts = [(known.corpus.with_clips(sorted_clips[kind]), count) for kind, count in counts.items()]
    print({kind: len(clips) for kind, clips in sorted_clips.items()}, flush=True)
    torch.manual_seed(given.seed)
    began, sums = time.process_time(), torch.zeros(2)
    while (spent := time.process_time() - began) < given.seconds:
        model.train()
        loss = torch.zeros(())
        for place, (corpus, count) in enumerate(parts):
            generator = generator_for(given.seed, len(parts) * step + place)
            crops = drawn_crops(corpus, known.alignments, known.rows, count, generator)
            losses = decoder_losses(model, crops, generator)
            loss = loss + (losses.mean + losses.diffusion) * count / 8
            if place == 0:
                sums += torch.stack([losses.mean.detach(), losses.diffusion.detach()])
        warm, cosine = min(1.0, spent / 60), 0.5 + 0.5 * math.cos(math.pi * spent / given.seconds)
        descend(loss, optimizer, 4e-4 * warm * (0.05 + 0.95 * cosine))
        average.update()
        step += 1
        if step % 50 == 0:
            print(f"{step} steps, {spent:.0f} s, mean {sums[0] / 50:.3f}, diffusion {sums[1] / 50:.3f}", flush=True)
            sums.zero_()
    average.apply()
    save(given, model, arm, ("frame_prior.mean", "decoder."))


def with_people(given: argparse.Namespace, known: Known, model: GradTTS) -> Known:
    """Unknown people, each with a row that begins as the mean of the base's, and with its bands matched."""
    cached = given.work / "people.pt"
    embedding, prior = model.spk_emb.weight.detach(), model.frame_prior
    if not cached.exists():
        middle = len(embedding)
        model.spk_emb = nn.Embedding.from_pretrained(torch.cat([embedding, embedding.mean(0, keepdim=True)]))
        statistics = prior.pitch_statistics
        prior.pitch_statistics = torch.cat([statistics, statistics.mean(0, keepdim=True)])
        found = []
        for path, text, speaker in listed(given.more):
            try:
                one = recorded(path, text, speaker)
            except VoxgradError as error:
                print(f"{path.name}: {error}", flush=True)
                continue
            if one.clip.frames >= len(one.clip.tokens) and (one.log_f0 > 0).sum() > 20:
                found.append(one)
        corpus = Recordings(found)
        rows = dict.fromkeys(corpus.speakers, middle)
        torch.save((found, align_unknown_speakers(model, corpus, rows, CPU)), cached)
        prior.pitch_statistics = statistics
    people, found = torch.load(cached, weights_only=False)
    alignments, rows = dict(known.alignments), dict(known.rows)
    by_speaker: dict[str, list] = {}
    for one in people:
        by_speaker.setdefault(one.clip.speaker, []).append(one)
    for row, (speaker, own) in enumerate(by_speaker.items(), len(embedding)):
        means = torch.cat([expanded(found[one.clip.id]) for one in own], 1)
        stretch, shift = speaker_adaptation._fitted(means, torch.cat([one.mel for one in own], 1))
        for one in own:
            aligned = found[one.clip.id]
            alignments[one.clip.id] = replace(aligned, mu_x=aligned.mu_x * stretch[:, None] + shift[:, None])
        rows[speaker] = row
        voiced = torch.cat([one.log_f0[one.log_f0 > 0] for one in own])
        statistics = torch.stack([voiced.mean(), voiced.std().clamp(min=0.05)])
        prior.pitch_statistics = torch.cat([prior.pitch_statistics, statistics[None]])
    rest = embedding.mean(0, keepdim=True).expand(len(by_speaker), -1)
    model.spk_emb = nn.Embedding.from_pretrained(torch.cat([embedding, rest]), freeze=False)
    return Known(Recordings([*known.corpus.all.values(), *people]), alignments, rows)


def save(given: argparse.Namespace, model: GradTTS, arm: str, part: str | tuple[str, ...]) -> None:
    """Writes what was learnt."""
    weights = {name: value for name, value in model.state_dict().items() if name.startswith(part)}
    torch.save(weights, given.work / f"base-{arm}.pt")


def train_adversarial(given: argparse.Namespace, arm: str) -> None:
    """Trains the score network through two steps of UniPC; a third of the time, or all of it for the arm
    `discriminators`, the discriminators alone.
    """
    model, known = copy.deepcopy(base().model), known_speech(given)
    parameters, _ = learning(model, ("score",), 0)
    torch.manual_seed(given.seed)
    judges = discriminators(model)
    optimizer = torch.optim.AdamW([{"params": parameters}], betas=(0.5, 0.9))
    theirs = torch.optim.AdamW(judges.parameters(), 1e-3, (0.5, 0.9))
    model.eval()
    step = learnt = 0
    began = time.process_time()
    while (spent := time.process_time() - began) < given.seconds:
        generator, learns = generator_for(given.seed, step), arm == "adversarial" and spent > given.seconds / 3
        crops = drawn_crops(known.corpus, known.alignments, known.rows, BATCH, generator, 128)
        condition = condition_of(model, crops)
        noise = torch.randn(crops.y.shape, generator=generator)
        with torch.set_grad_enabled(learns):
            fake = generate(model, condition, noise, given.temperature)
        at = starts(judges, generator)
        loss = judged_loss(judges, crops.y, fake, condition.mu, at)
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        if learns:
            learnt += 1
            weight = min(1.0, learnt / 50)
            descend(generated_loss(judges, crops.y, fake, condition, at, weight), optimizer, 1e-4)
        if step % 20 == 19:
            print(
                f"{step + 1} steps, {learnt} of the generator, {spent:.0f} s, {float(loss.detach()):.3f}",
                flush=True,
            )
        step += 1
    torch.save(judges.state_dict(), given.work / f"{arm}-judges.pt")
    if learnt:
        save(given, model, arm, "decoder.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("arms")
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=0.5, help="of adversarial steps")
    parser.add_argument("--more", type=Path, help="people for the arm of that name")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for arm in given.arms.split(","):
        if arm in {"adversarial", "discriminators"}:
            train_adversarial(given, arm)
        elif arm in {"readers", "people"}:
            train_readers(given, arm)
        else:
            train_mean(given, arm)


if __name__ == "__main__":
    main()
