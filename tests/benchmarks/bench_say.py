"""Text to wav and each of its parts, beside the same weights by the plain path: `make bench`, or run this file.

    python tests/benchmarks/bench_say.py [--write docs/benchmarks.md] [--repeats N] [--threads N]

The plain path is Euler with 10 steps in float32, through a score network whose attention, normalisation and Mish are
the official operations one after the other, and HiFi-GAN V1 (random weights: its speed does not depend on them). Ours
is what `say` does by default, through the embedded vocoder. The official-size network has random weights too. All
are run in turns, so that whatever else the machine does hits all alike.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
from official import official_operations

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.device import autocast, keep_freed_memory
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import MelSpec, ModelSpec, SynthesisSpec
from voxgrad.store import Store
from voxgrad.text.tokens import encode
from voxgrad.vocoder.choice import choose_vocoder
from voxgrad.vocoder.hifigan import HiFiGAN, HiFiGANSpec
from voxgrad.vocoder.registry import load_vocoder

TEXT = "The boat was tied to the pier with a thick rope, and nobody on the shore had seen who left it there that night."
SECONDS = 6.0
PLAIN = SynthesisSpec(sampler="euler", steps=10, grid=1.0, precision="float32")
EXPLAINED = """
Medians of alternating runs. The real-time factor is seconds of work per second of speech. The plain path is Euler in
float32 with 10 steps, the official operations, and HiFi-GAN V1. HiFi-GAN and the official-size network have random
weights."""


def median(variants: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds of each, run in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(repeats + 1):
        for name, run in variants.items():
            started = time.perf_counter()
            run()
            if turn:  # the first turn compiles and allocates
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def speaker(model: GradTTS) -> torch.Tensor | None:
    """The first one, of a model of several."""
    return torch.zeros(1, dtype=torch.long) if model.spec.n_spks > 1 else None


def spoken(model: GradTTS, tokens: torch.Tensor, settings: SynthesisSpec, scale: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    settings, lengths = settings.resolve_defaults(model.spec), torch.tensor([tokens.shape[1]])
    mel = model.synthesize(tokens, lengths, settings, generator, speaker(model), scale).mel
    return mel.clamp(*MelSpec().range)


def encoded(model: GradTTS, tokens: torch.Tensor) -> None:
    """As `synthesize` does it."""
    with autocast(tokens.device, "float32" if model.frame_prior is None else "auto"):
        model.encode(tokens, torch.tensor([tokens.shape[1]]), speaker(model))


def vocoded(vocoder, mel: torch.Tensor) -> torch.Tensor:
    with autocast(mel.device, "auto"):
        return vocoder(mel)


def compare(
    name: str, model: GradTTS, rounded: GradTTS, tokens: torch.Tensor, vocoder, hifigan, repeats: int
) -> list[str]:
    """Rows of a table: ours, which speaks by ``rounded``, plain, and how many times faster."""
    with torch.inference_mode():
        prior = model.encode(tokens, torch.tensor([tokens.shape[1]]), speaker(model))
        natural = float(prior.logw.exp().sum()) * MelSpec().seconds_per_frame
    scale = SECONDS / natural
    ours = SynthesisSpec().resolve_defaults(model.spec)
    mel = spoken(model, tokens, ours, scale)
    seconds = mel.shape[2] * MelSpec().seconds_per_frame
    one, plain_one = ours.model_copy(update={"steps": 1}), PLAIN.model_copy(update={"steps": 1})

    def plain(settings: SynthesisSpec) -> torch.Tensor:
        with official_operations():
            return spoken(model, tokens, settings, scale)

    taken = median(
        {
            "encode": lambda: encoded(rounded, tokens),
            "encode plain": lambda: model.encode(tokens, torch.tensor([tokens.shape[1]]), speaker(model)),
            "step": lambda: spoken(rounded, tokens, one, scale),
            "step plain": lambda: plain(plain_one),
            "mel": lambda: spoken(rounded, tokens, ours, scale),
            "mel plain": lambda: plain(PLAIN),
            "sound": lambda: vocoded(vocoder, mel),
            "sound plain": lambda: hifigan(mel),
        },
        repeats,
    )
    taken["all"], taken["all plain"] = (
        taken["mel"] + taken["sound"],
        taken["mel plain"] + taken["sound plain"],
    )
    rows = [
        ("text encoder", "encode", "encode plain"),
        ("encoder and one step", "step", "step plain"),
        (f"text to mel ({ours.steps} steps of {ours.sampler}, 10 of Euler)", "mel", "mel plain"),
        ("mel to audio (embedded vocoder, HiFi-GAN V1)", "sound", "sound plain"),
        ("text to audio", "all", "all plain"),
    ]
    lines = [f"\n### {name}, {seconds:.1f} s of speech\n"]
    lines += ["| | real-time factor | plain path | times faster |", "| --- | --- | --- | --- |"]
    for title, mine, theirs in rows:
        factors = taken[mine] / seconds, taken[theirs] / seconds, taken[theirs] / taken[mine]
        lines.append("| {} | {:.3f} | {:.3f} | {:.1f} |".format(title, *factors))
    return lines


def growth(model: GradTTS, tokens: torch.Tensor, vocoder) -> list[str]:
    """How time and memory grow with the length of one piece."""
    lines = [
        "\n### Growth with length, the base\n",
        "| seconds | real-time factor | peak memory, MiB |",
        "| --- | --- | --- |",
    ]
    for copies in (1, 2, 4):
        longer = tokens.repeat(1, copies)
        made = SimpleNamespace()

        def speak(longer=longer, made=made):
            made.mel = spoken(model, longer, SynthesisSpec(), 1.2)
            vocoded(vocoder, made.mel)

        taken = median({"speak": speak}, 1)["speak"]
        seconds = made.mel.shape[2] * MelSpec().seconds_per_frame
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(f"| {seconds:.1f} | {taken / seconds:.3f} | {peak:.0f} |")
    return lines


HEADING = "\n## PyTorch beside the plain path\n"
"""Of the page: it and everything after it are written anew."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", type=Path, help="a Markdown file for the tables")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()  # as a speaker does
    store = Store.open()
    acoustic = load_acoustic_model(store.find("base/english"))
    mel = acoustic.spec.mel
    vocoder = load_vocoder(choose_vocoder(store, None, mel, ignore), mel, "base/english")
    hifigan = HiFiGAN.build(HiFiGANSpec(), mel)
    tokens = torch.tensor([encode(TEXT, acoustic.spec.text).tokens])
    torch.manual_seed(0)
    official = GradTTS(ModelSpec()).eval()
    command = f"python tests/benchmarks/bench_say.py --repeats {given.repeats} --threads {given.threads}"
    lines = [f"{HEADING}\nWritten by `make bench`: `{command}`, torch {torch.__version__}.", EXPLAINED]
    # Growth first: peak memory never falls again.
    rounded = acoustic.speaking("auto")
    grown = growth(rounded, tokens, vocoder)
    lines += compare("The embedded base", acoustic.model, rounded, tokens, vocoder, hifigan, given.repeats)
    lines += compare("An official-size network", official, official, tokens, vocoder, hifigan, given.repeats)
    lines += grown
    text = "\n".join(lines) + "\n"
    print(text)
    if given.write is not None:
        before = given.write.read_text(encoding="utf-8") if given.write.exists() else ""
        given.write.write_text(before.partition(HEADING)[0] + text, encoding="utf-8")


if __name__ == "__main__":
    with torch.no_grad():
        sys.exit(main())
