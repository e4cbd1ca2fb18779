"""Texts with one word wrong: how many are found at one false alarm in fifty.

python tests/benchmarks/bench_words.py [FOLDER --language CODE]

200 texts of each speaker have one word replaced by another of the speaker's texts, left out, or added. A clip is found
by the gain of its most suspect word beyond its peers', as `prepare` does, and by its likelihood, as without that. With
a folder of recordings in another language, 200 of them are tried, and each with the text of another of like length.
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.audio.clean import clean
from voxgrad.audio.mel import log_mel
from voxgrad.preparation.alignment import score_transcript, suspects
from voxgrad.preparation.quality_checks import beyond_usual, usual_gains
from voxgrad.settings import AudioSpec, CheckSpec
from voxgrad.store import Store
from voxgrad.text.lexicon import NONE
from voxgrad.transcripts.find import find_transcripts
from voxgrad.transcripts.registry import Entry

DATA = Path(__file__).parents[3] / "shared" / "data"
SETS = (("kokoro/heldout", None), ("kathleen", 200), ("lj", None))
ALTERED = 200
KINDS = ("replaced", "missing", "added")


def main() -> None:
    """Prints recall by kind, for three sets of recordings and for all, or for one folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--language", default="en")
    given = parser.parse_args()
    sets = SETS if given.folder is None else ((given.folder, ALTERED),)
    torch.set_num_threads(1)
    usual, deviations, kinds = [], [], []
    for folder, count in sets:
        entries = find_transcripts(DATA / folder).entries
        entries = entries if count is None else random.Random(0).sample(entries, count)
        mels = [
            log_mel(torch.from_numpy(clean(entry.recording, AudioSpec()).waveform.samples), AudioSpec().mel)
            for entry in entries
        ]
        known = [suspects(entry.text, mel, NONE, given.language) for entry, mel in zip(entries, mels, strict=True)]
        draw = random.Random(1)
        altered = [(index % len(entries), *alter(entries, index % len(entries), draw)) for index in range(ALTERED)]
        speakers = [entry.speaker for entry in entries]
        gains = {
            name: usual_gains([one for one, speaker in zip(known, speakers, strict=True) if speaker == name])
            for name in set(speakers)
        }
        usual.append(np.array([beyond_usual(one, gains[who]) for one, who in zip(known, speakers, strict=True)]))
        found = [(speakers[index], suspects(text, mels[index], NONE, given.language)) for index, _, text in altered]
        deviations.append(np.array([beyond_usual(one, gains[who]) for who, one in found]))
        kinds.append(np.array([kind for _, kind, _ in altered]))
        report(folder, usual[-1], deviations[-1], kinds[-1], CheckSpec().doubt_word)
    if given.folder is not None:
        order = sorted(range(len(entries)), key=lambda index: len(entries[index].text))
        beyond = 0
        for one, other in zip(order, order[1:] + order[:1], strict=True):
            words = suspects(entries[other].text, mels[one], NONE, given.language)
            beyond += not words or beyond_usual(words, gains[speakers[one]]) > CheckSpec().doubt_word
        print(f"texts of others of like length: {beyond} of {len(order)} found")
        return
    joined = [np.concatenate(one) for one in (usual, deviations, kinds)]
    report("all", *joined, CheckSpec().doubt_word)
    report("all", *joined, np.sort(joined[0])[::-1][len(joined[0]) // 50])
    before(entries, mels, altered)


def before(entries: list[Entry], mels: list[torch.Tensor], altered: list[tuple[int, str, str]]) -> None:
    """Prints the same of the likelihood of the whole text, where no correct one is doubted."""
    base = load_acoustic_model(Store.open().find("base/english"))
    correct = [score_transcript(base, entry.text, mel, NONE) for entry, mel in zip(entries, mels, strict=True)]
    wrong = [score_transcript(base, text, mels[index], NONE) for index, _, text in altered]
    usual = np.array([-one.likelihood for one in correct if one is not None])
    deviations = np.array([np.inf if one is None else -one.likelihood for one in wrong])
    report("lj, likelihood alone", usual, deviations, np.array([kind for _, kind, _ in altered]), usual.max())


def report(name: str, usual: np.ndarray, deviations: np.ndarray, kinds: np.ndarray, bound: float) -> None:
    """Prints one row."""
    recall = ", ".join(f"{kind} {np.mean(deviations[kinds == kind] > bound):.2f}" for kind in KINDS)
    print(
        f"{name}: beyond {bound:.1f}: {np.mean(deviations > bound):.3f} of {len(deviations)} found ({recall}), "
        f"{np.sum(usual > bound)} of {len(usual)} correct texts doubted",
        flush=True,
    )


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
