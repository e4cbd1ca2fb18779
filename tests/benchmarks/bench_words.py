"""Texts with one word wrong: how many are found at one false alarm in fifty.

python tests/benchmarks/bench_words.py

200 texts of each speaker have one word replaced by another of the speaker's texts, left out, or added. A clip is found
by the gain of its most suspect word beyond its peers', as `prepare` does, and by its likelihood, as without that.
"""

import random
from pathlib import Path

import numpy as np
import torch

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.audio.clean import clean
from voxgrad.audio.mel import log_mel
from voxgrad.preparation.alignment import fit
from voxgrad.preparation.quality_checks import beyond_usual, usual_gains
from voxgrad.preparation.word_checks import suspects
from voxgrad.settings import AudioSpec, CheckSpec
from voxgrad.store import Store
from voxgrad.text.lexicon import NONE
from voxgrad.text.transcripts import Entry, find_transcripts

DATA = Path(__file__).parents[3] / "shared" / "data"
ALTERED = 200
KINDS = ("replaced", "missing", "added")


def main() -> None:
    """Prints recall by kind for three sets of recordings."""
    torch.set_num_threads(1)
    base = load_acoustic_model(Store.open().find("base/english"))
    for folder, count in (("lj", None), ("kokoro/heldout", None), ("kathleen", 100)):
        entries = find_transcripts(DATA / folder).entries
        entries = entries if count is None else random.Random(0).sample(entries, count)
        mels = [
            log_mel(torch.from_numpy(clean(entry.recording, AudioSpec()).waveform.samples), AudioSpec().mel)
            for entry in entries
        ]
        correct = [fit(base, entry.text, mel, NONE) for entry, mel in zip(entries, mels, strict=True)]
        known = [suspects(entry.text, mel, NONE) for entry, mel in zip(entries, mels, strict=True)]
        draw = random.Random(1)
        altered = [
            (index % len(entries), *alter(entries, index % len(entries), draw)) for index in range(ALTERED)
        ]
        kinds = np.array([kind for _, kind, _ in altered])
        wrong = [fit(base, text, mels[index], NONE) for index, _, text in altered]
        found = [suspects(text, mels[index], NONE) for index, _, text in altered]
        gains = usual_gains(known)
        usual = np.array([beyond_usual(one, gains) for one in known])
        deviations = np.array([beyond_usual(one, gains) for one in found])
        report(folder, "suspect words", usual, deviations, kinds)
        report(
            folder,
            "likelihood alone",
            np.array([-one.likelihood for one in correct if one is not None]),
            np.array([np.inf if one is None else -one.likelihood for one in wrong]),
            kinds,
        )
        bound = CheckSpec().doubt_word
        print(
            f"  beyond {bound}: {np.mean(deviations > bound):.3f} found, {np.sum(usual > bound)} of {len(usual)} false"
        )


def report(folder: str, name: str, usual: np.ndarray, deviations: np.ndarray, kinds: np.ndarray) -> None:
    bound = np.sort(usual)[::-1][len(usual) // 50]
    recall = " ".join(f"{kind} {np.mean(deviations[kinds == kind] > bound):.2f}" for kind in KINDS)
    print(f"{folder}: {name}: {np.mean(deviations > bound):.3f} at bound {bound:.1f} ({recall})")


def alter(entries: list[Entry], index: int, draw: random.Random) -> tuple[str, str]:
    """A text with one word wrong, and how."""
    words = entries[index].text.split()
    kind = draw.choice(KINDS)
    while True:
        place = draw.randrange(len(words))
        other = draw.choice(draw.choice(entries).text.split()).strip('.,;:!?"')
        if kind == "added":
            return kind, " ".join([*words[:place], other, *words[place:]])
        if kind == "missing" and len(words) > 1:
            return kind, " ".join(words[:place] + words[place + 1 :])
        if kind == "replaced" and other.lower() != words[place].lower().strip('.,;:!?"'):
            return kind, " ".join([*words[:place], other, *words[place + 1 :]])
        kind = draw.choice(KINDS) if len(words) == 1 else kind


if __name__ == "__main__":
    main()
