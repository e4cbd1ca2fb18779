"""How near samplers come to recordings, and to 50 steps of Euler's method from the same noise.

    python tests/benchmarks/bench_samplers.py DATASET [--voice base/english] [--wavs DIR]

DATASET holds sentences of the voice's speaker that it has not been trained on. Durations and pitch are the recordings',
so that frames can be compared; distances are means of absolute differences of log-mels. Audio for
`bench_speech.py --wavs` is written with --wavs.
"""

import argparse
from pathlib import Path

import torch
from bench_prior import distance, pieces, spoken, write
from torch import Tensor

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.events import ignore
from voxgrad.settings import SynthesisSpec
from voxgrad.store import Store
from voxgrad.training.dataset import Dataset, measure_pitch
from voxgrad.vocoder.choice import choose_vocoder
from voxgrad.vocoder.registry import load_vocoder

REFERENCE = SynthesisSpec(sampler="euler", steps=50)
ROWS = [
    *(SynthesisSpec(sampler=sampler, steps=n) for sampler in ("euler", "unipc") for n in (1, 2, 3, 4, 6, 10, 50)),
    *(SynthesisSpec(sampler="dpmpp", steps=n) for n in (2, 6)),
]


@torch.inference_mode()
def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("--voice", default="base/english")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--wavs", type=Path)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    store = Store.open(given.home)
    acoustic = load_acoustic_model(store.find(given.voice))
    network, mel = acoustic.model.decoder, acoustic.spec.mel
    temperature = acoustic.spec.model.temperature if given.temperature is None else given.temperature
    dataset = measure_pitch(Dataset.open(store.find(given.dataset, "dataset")))
    vocoder = load_vocoder(choose_vocoder(store, None, mel, ignore), mel, given.voice)
    clips = pieces(acoustic, dataset.corpus)
    recorded, means = [y for y, _ in clips], [condition.mu for _, condition in clips]

    def made(settings: SynthesisSpec) -> list[Tensor]:
        return [spoken(network, condition, settings, temperature) for _, condition in clips]

    reference = made(REFERENCE)
    print(f"{len(clips)} clips, temperature {temperature:g}")
    print("| sampler | steps | to the recordings | to 50 steps of Euler |\n| --- | --- | --- | --- |")
    print(f"| mu | | {distance(means, recorded):.3f} | {distance(means, reference):.3f} |")
    for settings in ROWS:
        mels = made(settings)
        to_recorded, to_reference = distance(mels, recorded), distance(mels, reference)
        print(f"| {settings.sampler} | {settings.steps} | {to_recorded:.3f} | {to_reference:.3f} |", flush=True)
        if given.wavs is not None:
            write(given.wavs / f"{settings.sampler}-{settings.steps}", mels, vocoder, mel)


if __name__ == "__main__":
    main()
