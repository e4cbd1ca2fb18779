"""How well the text of a recording is divided among its pieces: against what Whisper hears in each.

    pip install 'voxgrad[whisper]'
    python tests/benchmarks/bench_long_recordings.py RECORDINGS --whisper DIR --max-seconds 8 --count 40

RECORDINGS has a metadata.csv of `file|text|speaker`. Each recording is cut at its pauses into pieces of at most so
many seconds; pieces of which more than three words in ten differ, and more than two, are printed.
"""

import argparse
from importlib import import_module
from pathlib import Path

import torch
from bench_speech import heard, plain

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.audio.clean import cutting_pauses, open_recording, pieces
from voxgrad.audio.io import Waveform
from voxgrad.audio.mel import log_mel
from voxgrad.evaluation.metrics import edits
from voxgrad.preparation.long_recordings import match_script
from voxgrad.settings import AudioSpec
from voxgrad.store import Store
from voxgrad.text.lexicon import NONE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument("--max-seconds", type=float, default=8)
    parser.add_argument("--count", type=int, default=40)
    given = parser.parse_args()
    torch.set_num_threads(1)
    audio = AudioSpec(max_seconds=given.max_seconds)
    base = load_acoustic_model(Store.open().find("base/english"))
    whisper = import_module("faster_whisper").WhisperModel(
        str(given.whisper), device="cpu", compute_type="int8", cpu_threads=1
    )
    rows = (given.recordings / "metadata.csv").read_text(encoding="utf-8").splitlines()[: given.count]
    errors = words = count = bad = 0
    for row in rows:
        name, text, *_ = row.split("|")
        waveform = open_recording(given.recordings / name, audio).waveform
        cuts = cutting_pauses(waveform, audio)
        if not cuts:
            continue
        mel = log_mel(torch.from_numpy(waveform.samples), audio.mel)
        texts = match_script(base, text, mel, cuts, NONE)
        for (start, stop), said in zip(pieces(cuts, waveform.seconds), texts, strict=True):
            piece = waveform.samples[int(start * waveform.rate) : int(stop * waveform.rate)]
            understood = heard(whisper, Waveform(piece, waveform.rate), "en")
            wrong, length = edits(plain(said), plain(understood)), len(plain(understood))
            errors, words, count = errors + wrong, words + length, count + 1
            if wrong > max(2, 0.3 * length):
                bad += 1
                print(f"{name}: {said!r}, heard {understood!r}", flush=True)
    print(f"{count} pieces, {words} words, {errors} errors, {bad} bad pieces")


if __name__ == "__main__":
    main()
