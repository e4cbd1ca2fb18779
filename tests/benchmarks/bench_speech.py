"""How clear, natural and alike the speech of any voice is, of ours or of another program.

    pip install 'voxgrad[eval,whisper]'
    python tests/benchmarks/bench_speech.py --voice base/english --texts FILE --whisper DIR [--like RECORDINGS]
    python tests/benchmarks/bench_speech.py --wavs DIR --texts FILE --whisper DIR [--like RECORDINGS]

FILE holds a sentence a line, of which the voice must not have been trained on any. With --wavs, DIR holds what another
program said: as many audio files as sentences, in the order of their names. Whisper is a model converted for
faster-whisper. RECORDINGS is a folder of the speaker's own; similarity is the cosine of Resemblyzer's embeddings to the
mean of 20 of them. With --other, a folder of another person's recordings, ABX is the share of the sentences that are
more alike to the speaker's recordings than to that person's. Phone error is the word error's counterpart for phones, of
what was heard as this package pronounces it: "eleven thousand" and "11,000", "moat" and "mote" are the same there.
With --language, words that sound alike are the same in the word error too.
"""

import argparse
import re
import statistics
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

import voxgrad
from voxgrad.audio.io import Waveform, read_audio, resample
from voxgrad.errors import BadInputError
from voxgrad.evaluation.metrics import PerceptualMetrics, edits, misheard
from voxgrad.evaluation.metrics import words as spoken_words
from voxgrad.settings import TextSpec
from voxgrad.text.tokens import encode

RATE = 16000
REFERENCES = 20
DIGITS = dict(
    zip(
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
        strict=True,
    )
)
TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor"}


def main() -> None:
    """Prints one row of figures, and the sentences that were heard wrongly with --errors."""
    arguments = parsed()
    sentences = [line.strip() for line in arguments.texts.read_text().splitlines() if line.strip()]
    sentences = sentences[: arguments.count]
    torch.set_num_threads(arguments.threads)
    waveforms, factor = spoken(arguments, sentences)
    metrics = PerceptualMetrics()
    whisper = import_module("faster_whisper").WhisperModel(
        str(arguments.whisper), device="cpu", compute_type="int8", cpu_threads=arguments.threads
    )
    known, others = references(metrics, arguments.like), references(metrics, arguments.other)
    wrong = words = wrong_phones = phones = 0
    natural, quality, alike, preferred = [], [], [], []
    for sentence, waveform in zip(sentences, waveforms, strict=True):
        found = heard(whisper, waveform, arguments.language)
        if arguments.language == "en":
            said = plain(sentence)
            missed = edits(said, plain(found))
        else:
            normalised = encode(sentence, TextSpec(language=arguments.language)).normalised
            said = spoken_words(normalised, arguments.language)
            missed = misheard(normalised, found, arguments.language)
        if missed and arguments.errors:
            print(f"{missed} | {sentence} | {found}")
        wrong, words = wrong + missed, words + len(said)
        expected, pronounced = (sounds(text, arguments.language) for text in (sentence, found))
        wrong_phones, phones = wrong_phones + edits(expected, pronounced), phones + len(expected)
        natural.append(metrics.clearness(waveform))
        quality.append(metrics.quality(waveform))
        if known:
            voice = metrics.voice(waveform)
            alike.append(similarity(voice, known))
            if others:
                preferred.append(float(alike[-1] > similarity(voice, others)))
    row = {
        "word error": wrong / words,
        "phone error": wrong_phones / phones,
        "DistillMOS": mean(natural),
        "DNSMOS": mean(quality),
    }
    row |= {"similarity": mean(alike)} if alike else {}
    row |= {"ABX": mean(preferred)} if preferred else {}
    row |= {"real-time factor": factor} if factor is not None else {}
    named = arguments.voice or arguments.wavs
    print(f"{named}, {len(sentences)} sentences, {words} words: ", end="")
    print("  ".join(f"{name} {value:.3f}" for name, value in row.items()))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--voice")
    source.add_argument("--wavs", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument("--like", type=Path)
    parser.add_argument("--other", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--sampler")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--speaker")
    parser.add_argument("--language", default="en")
    parser.add_argument("--vocoder")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--errors", action="store_true")
    return parser.parse_args()


def spoken(arguments: argparse.Namespace, sentences: list[str]) -> tuple[list[Waveform], float | None]:
    """The audio of every sentence, and the real-time factor where it was made here."""
    if arguments.wavs is not None:
        files = sorted(path for path in arguments.wavs.iterdir() if path.suffix in {".wav", ".flac", ".ogg"})
        return [read_audio(path) for path in files[: len(sentences)]], None
    chosen = {"vocoder": arguments.vocoder, "engine": arguments.engine, "home": arguments.home}
    voice = voxgrad.load(arguments.voice, **chosen)
    started = time.perf_counter()
    waveforms = []
    for seed, sentence in enumerate(sentences):
        speech = voice.say(
            sentence,
            seed=seed,
            steps=arguments.steps,
            sampler=arguments.sampler,
            temperature=arguments.temperature,
            speaker=arguments.speaker,
            language=arguments.language,
        )
        waveforms.append(Waveform(speech.samples, voice.rate))
    seconds = sum(one.seconds for one in waveforms)
    return waveforms, (time.perf_counter() - started) / seconds


def references(metrics: PerceptualMetrics, folder: Path | None) -> list[np.ndarray]:
    """Embeddings of the first recordings of a folder."""
    files = [] if folder is None else sorted(p for p in folder.rglob("*") if p.suffix in {".wav", ".flac", ".ogg"})
    return [metrics.voice(read_audio(path)) for path in files[:REFERENCES]]


def similarity(embedding: np.ndarray, recordings: list[np.ndarray]) -> float:
    """Cosine of an embedding and the mean of others."""
    mean = np.mean(recordings, axis=0)
    return float(embedding @ mean / np.linalg.norm(embedding) / np.linalg.norm(mean))


def heard(whisper: Any, waveform: Waveform, language: str) -> str:
    """What Whisper hears."""
    segments, _ = whisper.transcribe(
        resample(waveform, RATE).samples,
        language=language,
        beam_size=1,
        condition_on_previous_text=False,
        without_timestamps=True,
    )
    return " ".join(segment.text for segment in segments)


def plain(text: str) -> list[str]:
    """Words in lower case, small numbers and titles in letters, hyphens as spaces."""
    found = re.findall(r"[a-z0-9']+", text.lower().replace("-", " "))
    return [TITLES.get(word, DIGITS.get(word, word)) for word in found]


def sounds(text: str, language: str) -> list[str]:
    """The phones of a text in order, without stress and without borders of words."""
    return [phone.rstrip("012").lstrip("ˈˌ") for word in pronounced(text, language) for phone in word if phone != " "]


def pronounced(text: str, language: str) -> list[tuple[str, ...]]:
    """The phones of every word; a number is one word, whose parts spaces part."""
    try:
        return [word.phones for word in encode(text, TextSpec(language=language)).words]
    except BadInputError:
        return []


def mean(values: list[float | None]) -> float:
    """Their mean; NaN where a metric's package is missing."""
    return statistics.fmean(float("nan") if value is None else value for value in values)


if __name__ == "__main__":
    main()
