"""Swapped transcripts: how many are found, and how many correct ones are doubted.

python tests/benchmarks/bench_doubts.py
"""

import random
from pathlib import Path

import torch

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.audio.clean import clean
from voxgrad.audio.mel import log_mel
from voxgrad.preparation.alignment import TranscriptScore, score_transcript
from voxgrad.preparation.quality_checks import find_outliers
from voxgrad.settings import AudioSpec, CheckSpec
from voxgrad.store import Store
from voxgrad.text.lexicon import NONE
from voxgrad.transcripts.find import find_transcripts
from voxgrad.transcripts.registry import Entry

DATA = Path(__file__).parents[3] / "shared" / "data"
SEEDS = 10


def main() -> None:
    """Prints, for both speakers, what is flagged of swapped and of correct texts."""
    torch.set_num_threads(1)
    base = load_acoustic_model(Store.open().find("base/english"))
    for folder, clips, swapped in (("lj", None, 6), ("kathleen", 200, 10)):
        entries = find_transcripts(DATA / folder).entries
        if clips is not None:
            entries = random.Random(0).sample(entries, clips)
        found = [trial(base, entries, swapped, seed) for seed in range(SEEDS)]
        hits, alarms = (sum(one[index] for one in found) / SEEDS for index in (0, 1))
        precision = hits / (hits + alarms)
        print(
            f"{folder}: {len(entries)} clips, {swapped} swapped: {hits:.1f} of them flagged or rejected, "
            f"{alarms:.1f} correct ones flagged; precision {precision:.3f}, recall {hits / swapped:.3f}"
        )


def trial(base: AcousticModel, entries: list[Entry], count: int, seed: int) -> tuple[int, int]:
    """How many swapped and how many correct texts are flagged, or are too long for their recording."""
    chosen = random.Random(seed).sample(range(len(entries)), count)
    texts = [entry.text for entry in entries]
    for place, other in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        texts[place] = entries[other].text
    fits = {str(index): fitted(base, entries[index], text) for index, text in enumerate(texts)}
    judged = find_outliers({name: one for name, one in fits.items() if one is not None}, CheckSpec())
    flagged = {int(name) for name in fits if fits[name] is None or judged[name].reason}
    return len(flagged & set(chosen)), len(flagged - set(chosen))


_KNOWN: dict[tuple[str, str], TranscriptScore | None] = {}
_MELS: dict[str, torch.Tensor] = {}


def fitted(base: AcousticModel, entry: Entry, text: str) -> TranscriptScore | None:
    """The fit of a text to a recording, found once."""
    if entry.id not in _MELS:
        waveform = clean(entry.recording, AudioSpec()).waveform
        _MELS[entry.id] = log_mel(torch.from_numpy(waveform.samples), AudioSpec().mel)
    if (entry.id, text) not in _KNOWN:
        _KNOWN[entry.id, text] = score_transcript(base, text, _MELS[entry.id], NONE)
    return _KNOWN[entry.id, text]


if __name__ == "__main__":
    main()
