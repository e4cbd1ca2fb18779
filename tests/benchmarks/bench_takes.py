"""How surely a take is told from one of another sentence: how many are refused, with their own text and the next one's.

python tests/benchmarks/bench_takes.py FOLDER [--takes N]
"""

import argparse
from pathlib import Path

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.preparation.recording_session import check_take
from voxgrad.presets import load_prepare_preset
from voxgrad.store import Store
from voxgrad.transcripts.find import find_transcripts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--takes", type=int, default=60)
    options = parser.parse_args()
    base = load_acoustic_model(Store.open().find("english", "base"))
    preset = load_prepare_preset("prepare")
    entries = find_transcripts(options.folder).entries
    chosen = entries[:: max(1, len(entries) // options.takes)][: options.takes]
    texts = [entry.text for entry in chosen]
    for whose, given in (("their own", texts), ("the next take's", [*texts[1:], texts[0]])):
        takes = [
            {problem.code for problem in check_take(entry.recording, text, base, preset).problems}
            for entry, text in zip(chosen, given, strict=True)
        ]
        refused = sum(bool(codes & {"text", "short", "long"}) for codes in takes)
        by_fit = sum("text" in codes for codes in takes)
        print(f"{len(takes)} takes with {whose} text: {refused} refused for it, {by_fit} by the alignment")


if __name__ == "__main__":
    main()
