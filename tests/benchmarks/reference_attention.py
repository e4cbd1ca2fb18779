"""A decoder that looks at the person: attention from frames to recordings of the same speaker, for `bench_person.py`.

    python tests/benchmarks/reference_attention.py SPEECH WORK NAME --seconds 1500 [--statistics] [--forget 0.5]

Queries are made of the features and the frame-level mean of a frame, keys and values of those of the reference frames
and of what was recorded there (or, with --statistics, values are its mean and deviation over all frames). What comes
out is added to the features and the mean; both layers begin at zero. Everything else of the base stays. Targets and
references are different parts of one clip. ``--forget`` is how often the speaker's embedding is replaced by the mean of
all, so that the person has to be found in the references. One thread; seconds are the processor's.
"""

import argparse
import math
import time
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from person_speech import base, known_speech
from torch import Tensor, nn

from voxgrad.model.diffusion import length_mask
from voxgrad.model.frame_prior import FrameMean, FramePrior, frame_positions
from voxgrad.model.gradtts import GradTTS
from voxgrad.training.dataset import Alignment, Clip, Corpus, Crops, generator_for
from voxgrad.training.losses import frame_losses, frame_mean

CHANNELS, HEADS, TARGET, REFERENCE, APART = 192, 4, 96, 384, 16


class ReferenceAttention(nn.Module):
    """In place of a model's frame-level mean; ``references`` are what it looks at, None for nothing."""

    def __init__(self, prior: FramePrior, features: int, mels: int, statistics: bool):
        super().__init__()
        self.plain, self.statistics = prior.mean, statistics
        self.query = nn.Sequential(nn.LayerNorm(features + mels), nn.Linear(features + mels, CHANNELS))
        self.key = nn.Sequential(nn.LayerNorm(features + mels), nn.Linear(features + mels, CHANNELS))
        self.value = nn.Sequential(nn.Linear(features + 3 * mels, CHANNELS), nn.GELU(), nn.Linear(CHANNELS, CHANNELS))
        told = 2 * mels if statistics else CHANNELS
        self.joined = nn.Sequential(nn.Linear(told + features, CHANNELS), nn.GELU())
        self.to_features, self.to_mean = nn.Linear(CHANNELS, features), nn.Linear(CHANNELS, mels)
        for layer in (self.to_features, self.to_mean):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.references: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def forward(self, *given) -> FrameMean:
        found = self.plain(*given)
        if self.references is None:
            return found
        features, mu, y, mask = self.references
        residual = (y - mu) / 0.7
        if self.statistics:
            count = mask.sum(1, keepdim=True)
            mean = (residual * mask).sum(1, keepdim=True) / count
            spread = (((residual - mean).square() * mask).sum(1, keepdim=True) / count + 1e-4).sqrt()
            told = torch.cat([mean, spread], 2).expand(len(found.features), found.features.shape[1], -1)
        else:
            own = torch.cat([found.features, found.mu.transpose(1, 2) * 0.4], 2)
            there = torch.cat([features, mu * 0.4], 2)
            values = self.value(torch.cat([features, mu * 0.4, y * 0.4, residual], 2))
            heads = [self.divided(x) for x in (self.query(own), self.key(there), values)]
            heads[1:] = [x.expand(len(own), -1, -1, -1) for x in heads[1:]]
            seen = mask[:, None, None, :, 0].expand(len(own), HEADS, own.shape[1], -1) > 0
            told = F.scaled_dot_product_attention(*heads, attn_mask=seen).transpose(1, 2).flatten(2)
        x = self.joined(torch.cat([told, found.features], 2))
        return FrameMean(found.mu + self.to_mean(x).float().transpose(1, 2), found.features + self.to_features(x))

    @staticmethod
    def divided(x: Tensor) -> Tensor:
        return x.unflatten(2, (HEADS, -1)).transpose(1, 2)

    def look_at(self, model: GradTTS, crops: Crops | None) -> None:
        """Takes references: crops of the speaker's recordings, one row for each of the batch, or one for all."""
        self.references = None
        if crops is not None:
            with torch.no_grad():
                found, mask = frame_mean(model, crops)[0], length_mask(crops.lengths, crops.y.shape[2])
            turned = (x.transpose(1, 2) for x in (found.mu, crops.y, mask))
            self.references = (found.features.detach(), *turned)


def attend(model: GradTTS, statistics: bool) -> ReferenceAttention:
    """Puts the attention into a model."""
    attention = ReferenceAttention(model.frame_prior, model.spec.frame_channels, model.spec.n_feats, statistics)
    model.frame_prior.attention = attention
    object.__setattr__(model.frame_prior, "mean", attention)  # hides the method of the class
    return attention


def piece(
    corpus: Corpus, alignments: Mapping[str, Alignment], rows: Mapping[str, int], wanted: list[tuple[Clip, Tensor]]
) -> Crops:
    """Frames of clips by their indices, as one batch."""
    size = max(len(index) for _, index in wanted)
    lengths = torch.tensor([len(index) for _, index in wanted])
    parts: dict[str, list[Tensor]] = {"y": [], "mu_y": [], "hidden": [], "position": [], "log_f0": []}
    for clip, index in wanted:
        known, after = alignments[clip.id], size - len(index)
        token, where = frame_positions(known.durations[None], clip.frames)
        parts["y"].append(F.pad(corpus.mel(clip)[:, index], (0, after)))
        parts["mu_y"].append(F.pad(known.mu_x.float()[:, token[0, index]], (0, after)))
        parts["hidden"].append(F.pad(known.hidden.float()[:, token[0, index]].T, (0, 0, 0, after)))
        parts["position"].append(F.pad(where[0, index], (0, 0, 0, after)))
        parts["log_f0"].append(F.pad(corpus.pitch[clip.id][index], (0, after)))
    tensors = {name: torch.stack(values) for name, values in parts.items()}
    speakers = torch.tensor([rows[clip.speaker] for clip, _ in wanted])
    return Crops(lengths=lengths, speakers=speakers, **tensors)


def drawn_pairs(
    corpus: Corpus,
    alignments: Mapping[str, Alignment],
    rows: Mapping[str, int],
    count: int,
    generator: torch.Generator,
    target: int = TARGET,
) -> tuple[Crops, Crops]:
    """Targets, and other parts of the same speakers' clips to look at."""
    targets, references = [], []
    for _ in range(count):
        clip = corpus.clips[int(torch.randint(len(corpus.clips), (), generator=generator))]
        length = min(target, clip.frames // 2)
        start = int(torch.randint(clip.frames - length + 1, (), generator=generator))
        targets.append((clip, torch.arange(start, start + length)))
        every = torch.arange(clip.frames)
        free = every[(every < start - APART) | (every >= start + length + APART)]
        others = [one for one in corpus.clips if one.speaker == clip.speaker and one.id != clip.id]
        if others and (len(free) < 48 or torch.rand((), generator=generator) < 0.7):
            clip = others[int(torch.randint(len(others), (), generator=generator))]
            free = torch.arange(clip.frames)
        begin = int(torch.randint(max(1, len(free) - REFERENCE + 1), (), generator=generator))
        references.append((clip, free[begin : begin + REFERENCE]))
    return tuple(piece(corpus, alignments, rows, wanted) for wanted in (targets, references))


def pair_losses(model: GradTTS, attention: ReferenceAttention, pairs: tuple[Crops, Crops], generator: torch.Generator):
    """The decoder's losses of targets under their references."""
    crops, references = pairs
    attention.look_at(model, references)
    size = len(crops.y)
    t = (torch.randperm(size, generator=generator) + torch.rand(size, generator=generator)) / size
    return frame_losses(model, crops, t, torch.randn(crops.y.shape, generator=generator))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=1500)
    parser.add_argument("--statistics", action="store_true")
    parser.add_argument("--forget", type=float, default=0.5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, known = base().model, known_speech(given, every=1)
    attention = attend(model, given.statistics)
    model.requires_grad_(requires_grad=False)
    attention.requires_grad_()
    rows, embedding = dict(known.rows), model.spk_emb.weight
    anyone = embedding.mean(0)
    optimizer, step, sums, began = torch.optim.AdamW(attention.parameters()), 0, torch.zeros(2), time.process_time()
    average = {name: value.detach().clone() for name, value in attention.state_dict().items()}
    while (spent := time.process_time() - began) < given.seconds:
        generator = generator_for(1, step)
        pairs = drawn_pairs(known.corpus, known.alignments, rows, 8, generator)
        model.eval()
        forgotten = torch.rand((), generator=generator) < given.forget
        chosen = pairs[0].speakers.unique()
        kept = embedding[chosen].clone()
        if forgotten:
            embedding[chosen] = anyone
        with torch.autocast("cpu", torch.bfloat16):
            losses = pair_losses(model, attention, pairs, generator)
        embedding[chosen] = kept
        optimizer.zero_grad(set_to_none=True)
        (losses.mean + losses.diffusion).backward()
        nn.utils.clip_grad_norm_(attention.parameters(), 1.0)
        cosine = 0.5 + 0.5 * math.cos(math.pi * spent / given.seconds)
        optimizer.param_groups[0]["lr"] = 1e-3 * min(1.0, spent / 30) * (0.03 + 0.97 * cosine)
        optimizer.step()
        step += 1
        decay = min(0.995, step / (step + 9))
        for name, value in attention.state_dict().items():
            average[name].lerp_(value, 1 - decay)
        sums += torch.stack([losses.mean.detach(), losses.diffusion.detach()])
        if step % 50 == 0:
            print(f"{step} steps, {spent:.0f} s, mean {sums[0] / 50:.3f}, diffusion {sums[1] / 50:.3f}", flush=True)
            sums.zero_()
            torch.save({"statistics": given.statistics, "weights": average}, given.work / f"attention-{given.name}.pt")
    torch.save({"statistics": given.statistics, "weights": average}, given.work / f"attention-{given.name}.pt")


if __name__ == "__main__":
    main()
