"""A diffusion that starts at N(mu, I) beside one that starts at N(0, I), as in table 1 of Popov et al. (2021).

    python tests/benchmarks/bench_prior.py DATASET [--base english] [--seconds 300] [--wavs DIR]

Two score networks that differ in nothing else learn the dataset's mels for the same processor time, on one thread.
Both are told the frame-level mean of the base, which stays as it is, and its features. For every sampler, number of
steps and temperature the mean absolute distance to the mels of held-out clips is printed, with the durations and the
pitch of the recordings. Audio for `bench_speech.py --wavs` and DistillMOS is written with --wavs.
"""

import argparse
import random
import statistics
import time
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.device import autocast
from voxgrad.events import ignore
from voxgrad.model.convnext import ConvNeXtScore
from voxgrad.model.diffusion import Condition, Diffusion
from voxgrad.settings import MelSpec, SynthesisSpec
from voxgrad.store import Store
from voxgrad.training.alignment import align_corpus
from voxgrad.training.dataset import Corpus, Crops, Dataset, collate_crops, measure_pitch
from voxgrad.training.losses import frame_mean
from voxgrad.training.optim import ExponentialMovingAverage
from voxgrad.vocoder.choice import choose_vocoder
from voxgrad.vocoder.registry import Vocoder, load_vocoder

BATCH, CROP, RATE, WARMUP = 16, 96, 1e-3, 200
CHANNELS, BLOCKS = 160, 4
CPU = torch.device("cpu")


def pieces(acoustic: AcousticModel, corpus: Corpus) -> list[tuple[Tensor, Condition]]:
    """The mel of every clip, and what the decoder is told of it."""
    rows = dict.fromkeys(corpus.speakers, acoustic.row)
    aligned, found = align_corpus(acoustic.model, corpus, rows, CPU), []
    for clip in corpus.clips:
        crops: Crops = collate_crops(corpus, [clip], aligned, None, rows, torch.Generator())
        with torch.no_grad():
            mean, _, _ = frame_mean(acoustic.model, crops)
            speaker = acoustic.model.speaker(crops.speakers)
        frames = clip.frames // 4 * 4
        condition = Condition(mean.mu[..., :frames], speaker=speaker, features=mean.features[:, :frames])
        found.append((crops.y[..., :frames], condition))
    return found


def told(condition: Condition, centre: Tensor | None) -> Condition:
    """The same for a prior around ``centre``, (n_feats, 1); None: around mu. Both get mu as features too."""
    mu = condition.mu
    features = torch.cat((condition.features, mu.transpose(1, 2) / 4), 2)
    return Condition(mu if centre is None else centre.expand_as(mu), speaker=condition.speaker, features=features)


def trained(
    acoustic: AcousticModel, clips: list[tuple[Tensor, Condition]], centre: Tensor | None, seconds: float
) -> Diffusion:
    """A score network of its own, after so many seconds of the processor."""
    torch.manual_seed(1)
    around = [y - told(condition, centre).mu for y, condition in clips]
    spec = acoustic.model.spec.model_copy(
        update={
            "frame_channels": acoustic.model.spec.frame_channels + acoustic.spec.model.n_feats,
            "score_channels": CHANNELS,
            "score_blocks": BLOCKS,
            "sigma_data": float(torch.cat(around, 2).std()),
        }
    )
    network, chosen, step = Diffusion(spec, ConvNeXtScore(spec)), random.Random(2), 0
    average = ExponentialMovingAverage(network, 0.999)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, (0.9, 0.99))
    began = time.process_time()
    while (spent := time.process_time() - began) < seconds:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, step / WARMUP) * (1 - spent / seconds) ** 0.5
        batch = chosen.choices(clips, weights=[y.shape[2] for y, _ in clips], k=BATCH)
        cut = [(one, told(condition, centre), chosen.randrange(one.shape[2] - CROP + 1)) for one, condition in batch]
        y = torch.cat([one[..., at : at + CROP] for one, _, at in cut])
        condition = Condition(
            torch.cat([one.mu[..., at : at + CROP] for _, one, at in cut]),
            speaker=torch.cat([one.speaker for _, one, _ in cut if one.speaker is not None]),
            features=torch.cat([one.features[:, at : at + CROP] for _, one, at in cut]),
        )
        with autocast(CPU, "auto"):
            loss = network.loss(y, condition, torch.rand(BATCH), torch.randn_like(y))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        step += 1
    network.load_state_dict(average.copy())
    print(f"{step} steps, standard deviation {spec.sigma_data:.2f}", flush=True)
    return network.eval()


@torch.no_grad()
def spoken(network: Diffusion, condition: Condition, settings: SynthesisSpec, temperature: float) -> Tensor:
    """The mel of a clip, (1, n_feats, frames)."""
    noise = torch.randn(condition.mu.shape, generator=torch.Generator().manual_seed(0))
    return network.sample(condition.mu + temperature * noise, condition, settings, lambda: noise)


def distance(mels: list[Tensor], others: list[Tensor]) -> float:
    """Mean absolute difference of mels, averaged over clips."""
    return statistics.fmean(float((a - b).abs().mean()) for a, b in zip(mels, others, strict=True))


def write(folder: Path, mels: list[Tensor], vocoder: Vocoder, spec: MelSpec) -> None:
    """The audio of mels, a file each, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, mel in enumerate(mels):
        samples = vocoder(mel.clamp(*spec.range))[0].numpy()
        soundfile.write(folder / f"{number:03d}.wav", samples, spec.sample_rate)


def main() -> None:
    """Trains both and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--base", default="english")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--wavs", type=Path)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    store = Store.open(given.home)
    acoustic = load_acoustic_model(store.find(given.base, "base"))
    dataset = measure_pitch(Dataset.open(store.find(given.dataset, "dataset")))
    vocoder = load_vocoder(choose_vocoder(store, None, dataset.mel, ignore), dataset.mel, given.base)
    training, held_out = (
        [one for one in pieces(acoustic, corpus) if one[0].shape[2] >= CROP] for corpus in dataset.corpus.divide(0.1)
    )
    middle = torch.cat([y for y, _ in training], 2).mean(2)[0, :, None]
    networks = {"mu": (None, trained(acoustic, training, None, given.seconds))}
    networks["0"] = middle, trained(acoustic, training, middle, given.seconds)
    print("| start | temperature | sampler | steps | mel distance |\n| --- | --- | --- | --- | --- |")
    for name, (centre, network) in networks.items():
        for temperature, sampler, steps in (
            (t, s, n) for t in (0.2, 1.0) for s in ("euler", "unipc") for n in (1, 2, 3, 4, 6, 10, 50)
        ):
            settings = SynthesisSpec(sampler=sampler, steps=steps, grid=1.0, precision="float32")
            mels = [spoken(network, told(one, centre), settings, temperature) for _, one in held_out]
            far = distance(mels, [y for y, _ in held_out])
            print(f"| {name} | {temperature} | {sampler} | {steps} | {far:.3f} |", flush=True)
            if given.wavs is not None:
                write(given.wavs / f"{name}-{temperature}-{sampler}-{steps}", mels, vocoder, dataset.mel)


if __name__ == "__main__":
    main()
