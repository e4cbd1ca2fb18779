"""Long texts: how soon the first sound comes, how memory and time grow, and whether batches would be faster.

    python tests/benchmarks/bench_long_text.py [--characters N] [--steps N] [--speed X]

Speaks with the voice and vocoder that come with the package. Times of growth are processor time, which does not depend
on what else the machine does.
"""

import argparse
import resource
import time

import torch

import voxgrad
from voxgrad.settings import SynthesisSpec
from voxgrad.voice.voice import Voice

PARAGRAPH = (
    "The road ran along the river for a mile or more, and then it turned away from the water, between two rows of "
    "old trees. Nobody had used it for years. “Are you sure,” asked Dr. Smith, “that this is the way?” I was not; "
    "but I nodded, because it was late, and because there was no other road that we could have taken with such a "
    "heavy cart. At 5 p.m. on Nov. 12, 1894, we stood before the house.\n\n"
)


def text_of(characters: int) -> str:
    """A text of about so many characters."""
    return PARAGRAPH * max(1, round(characters / len(PARAGRAPH)))


def peak_memory() -> float:
    """The most that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def first_sound(speaker: Voice, text: str, settings: SynthesisSpec) -> tuple[float, float]:
    """Seconds until the first samples are there, and how many seconds of sound they are."""
    began = time.perf_counter()
    piece = next(speaker.stream([text], settings))
    return time.perf_counter() - began, len(piece.samples) / speaker.rate


def whole(speaker: Voice, text: str, settings: SynthesisSpec) -> tuple[float, float]:
    """Seconds of processor time, and of sound, of all of a text."""
    began, samples = time.process_time(), 0
    for piece in speaker.stream([text], settings):
        samples += len(piece.samples)
    return time.process_time() - began, samples / speaker.rate


def batched(speaker: Voice, settings: SynthesisSpec, size: int) -> float:
    """Processor seconds for an utterance in a batch of ``size`` equal ones."""
    passage = next(iter(speaker.stream([PARAGRAPH], settings))).passage
    tokens = torch.tensor([passage.encoded.tokens]).expand(size, -1)
    lengths = torch.full((size,), tokens.shape[1])
    acoustic = speaker.engine.acoustic
    rows = torch.tensor([acoustic.row]).expand(size)
    generator = torch.Generator().manual_seed(0)
    began = time.process_time()
    acoustic.model.synthesize(tokens, lengths, settings, generator, rows)
    return (time.process_time() - began) / size


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--speed", type=float, default=1.0)
    given = parser.parse_args()
    settings = SynthesisSpec(steps=given.steps, speed=given.speed)
    speaker = voxgrad.load("kathleen", vocoder="kathleen")
    whole(speaker, PARAGRAPH, settings)
    base = peak_memory()
    print(f"{torch.get_num_threads()} threads, {given.steps} steps, speed {given.speed:g}")
    long = text_of(given.characters)
    for _ in range(3):
        wait, seconds = first_sound(speaker, long, settings)
        print(f"first sound of {len(long)} characters after {wait:.2f} s ({seconds:.2f} s of sound)")
    rates = []
    for share in (10, 1):
        text = text_of(given.characters // share)
        took, seconds = whole(speaker, text, settings)
        rates.append(took / len(text))
        print(
            f"{len(text)} characters: {took:.1f} s for {seconds:.1f} s of sound, "
            f"{1000 * rates[-1]:.3f} ms a character, peak memory +{peak_memory() - base:.0f} MB"
        )
    print(f"time a character, long over short: {rates[1] / rates[0]:.2f}")
    for size in (1, 4, 1, 4):
        print(f"an utterance in a batch of {size}: {batched(speaker, settings, size):.3f} s")


if __name__ == "__main__":
    main()
