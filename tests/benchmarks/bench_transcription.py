"""Whisper on real speech: how many words are wrong, how fast it is, and how many wrong texts are doubted.

pip install 'voxgrad[whisper]'
python tests/benchmarks/bench_transcription.py --model DIR

DIR is a Whisper converted for faster-whisper. Words are compared as the front end reads them, so that "15th" and
"fifteenth" are one.
"""

import argparse
import random
import time
from dataclasses import replace
from pathlib import Path

import torch

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.audio.clean import clean
from voxgrad.audio.mel import log_mel
from voxgrad.evaluation.metrics import edits
from voxgrad.preparation.alignment import score_transcript, suspects
from voxgrad.preparation.quality_checks import find_outliers
from voxgrad.preparation.speech_recognition import choose_recogniser, hear
from voxgrad.settings import AudioSpec, CheckSpec, TextSpec
from voxgrad.store import Store
from voxgrad.text.lexicon import NONE
from voxgrad.text.tokens import encode
from voxgrad.transcripts.find import find_transcripts

DATA = Path(__file__).parents[3] / "shared" / "data"
BOUNDS = (-0.3, -0.35, -0.4, -0.45, -0.5)


def words(text: str) -> list[str]:
    """As the front end reads them, in lower case."""
    return [word.word.lower() for word in encode(text, TextSpec()).words]


def main() -> None:
    """Prints a row for each speaker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    torch.set_num_threads(1)
    recogniser = choose_recogniser("faster-whisper", parser.parse_args().model)
    base = load_acoustic_model(Store.open().find("base/english"))
    for folder, clips in (("lj", None), ("kathleen", 60)):
        entries = find_transcripts(DATA / folder).entries
        entries = entries if clips is None else random.Random(1).sample(entries, clips)
        wrong, probabilities, fits = {}, {}, {}
        total = seconds = spent = 0.0
        for entry in entries:
            waveform = clean(entry.recording, AudioSpec()).waveform
            began = time.process_time()
            heard = hear(recogniser, waveform)
            spent += time.process_time() - began
            seconds += waveform.seconds
            expected = words(entry.text)
            wrong[entry.id] = edits(expected, words(heard.text))
            total += len(expected)
            probabilities[entry.id] = heard.log_probability
            if wrong[entry.id]:
                print(f"  {entry.id} ({heard.log_probability}): {heard.text}\n    is {entry.text}")
            mel = log_mel(torch.from_numpy(waveform.samples), AudioSpec().mel)
            if (fitted := score_transcript(base, heard.text, mel, NONE)) is not None:
                fits[entry.id] = replace(fitted, suspects=suspects(heard.text, mel, NONE))
        judged = find_outliers(fits, CheckSpec())
        doubted = {name for name, one in judged.items() if one.reason}
        bad = {name for name, edited in wrong.items() if edited}
        count = sum(wrong.values())
        print(
            f"{folder}: {len(entries)} clips, {count:.0f} of {total:.0f} words wrong ({100 * count / total:.1f} %) in "
            f"{len(bad)} clips; {seconds / spent:.1f} times real time, of processor time; "
            f"doubted: {len(doubted & bad)} of these, {len(doubted - bad)} others"
        )
        print(
            f"  words doubted: {sorted(one.words for name, one in judged.items() if name in doubted)}",
            flush=True,
        )
        for bound in BOUNDS:
            unsure = {name for name, one in probabilities.items() if one is not None and one < bound}
            print(f"  log-probability below {bound}: {len(unsure & bad)} wrong, {len(unsure - bad)} right")


if __name__ == "__main__":
    main()
