"""How near samplers come to 50 steps of Euler's method from the same noise, and how they sound.

    pip install pocketsphinx resemblyzer speechmos onnxruntime librosa
    python tests/benchmarks/bench_samplers.py VOICE DATASET [COUNT]

On held-out sentences of the dataset that the voice was trained on. Distances are means of absolute differences of mels.
"""

import random
import statistics
import sys

import torch
from bench_voice import Judge

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.audio.io import Waveform
from voxgrad.events import ignore
from voxgrad.settings import SynthesisSpec
from voxgrad.store import Store
from voxgrad.text.tokens import encode
from voxgrad.training.dataset import Dataset
from voxgrad.vocoder.choice import choose_vocoder
from voxgrad.vocoder.load import load_vocoder

REFERENCE = SynthesisSpec(sampler="euler", steps=50)
OFFICIAL = SynthesisSpec(sampler="euler", steps=10)
OTHERS = (
    SynthesisSpec(sampler="dpmpp", steps=8),
    *(SynthesisSpec(sampler="unipc", steps=steps) for steps in (4, 5, 6, 7, 8)),
)


def main(voice: str, dataset: str, count: int) -> None:
    """Measures and prints a table."""
    store, judge = Store.open(), Judge()
    acoustic, data = load_acoustic_model(store.find(voice)), Dataset.open(store.find(dataset, "dataset"))
    mel = acoustic.spec.mel
    vocoder = load_vocoder(choose_vocoder(store, None, mel, ignore), mel, voice)
    one_take = {clip.normalised: clip for clip in reversed(data.corpus.divide(0.1)[1].clips)}
    clips = random.Random(0).sample(sorted(one_take.values(), key=lambda clip: clip.id), count)
    settings = (REFERENCE, OFFICIAL, *OTHERS)
    distances: list[list[float]] = [[] for _ in settings]
    qualities: list[list[float]] = [[] for _ in settings]
    for seed, clip in enumerate(clips):
        tokens = torch.tensor([encode(clip.text, acoustic.spec.text).tokens])
        mels = [
            acoustic.model.synthesize(
                tokens,
                torch.tensor([tokens.shape[1]]),
                asked,
                torch.Generator().manual_seed(seed),
                torch.tensor([acoustic.row]),
                acoustic.spec.duration_scale,
            ).mel.clamp(*mel.range)
            for asked in settings
        ]
        for row, made in enumerate(mels):
            distances[row].append(float((made - mels[0]).abs().mean()))
            qualities[row].append(judge.quality(Waveform(vocoder(made)[0].numpy(), mel.sample_rate)))
    print("| sampler | steps | grid | distance | nearer than Euler with 10 | DNSMOS |")
    print("| --- | --- | --- | --- | --- | --- |")
    for asked, far, quality in zip(settings, distances, qualities, strict=True):
        nearer = sum(one < other for one, other in zip(far, distances[1], strict=True))
        print(
            f"| {asked.sampler} | {asked.steps} | {asked.grid:g} | {statistics.mean(far):.3f} | {nearer} of {count} "
            f"| {statistics.mean(quality):.2f} ± {statistics.stdev(quality):.2f} |"
        )


if __name__ == "__main__":
    with torch.inference_mode():
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 20)
