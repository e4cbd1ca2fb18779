"""Durations and pitch of sentences as Kokoro-82M (Apache-2.0) predicts them before it makes sound.

Run beside `made_speech.py`, in its environment; a core does a hundred seconds of speech in a second:

    kokoro/bin/python made_prosody.py package/voices TEXTS es,fr,it,pt prosody.jsonl --sentences 4000
    kokoro/bin/python made_prosody.py package/voices --clips OUT/es es prosody-of-clips.jsonl

``TEXTS/es.txt`` has one sentence a line; native voices speak them in turn. With ``--clips`` the sentences are those of
a folder that `made_speech.py` wrote. A line of the result has ``language``, ``speaker``, ``text``, the ``letters`` that
Kokoro was given, ``frames`` (25 ms) of each and of the silences around them, and ``f0`` in Hz every 12.5 ms, which
goes on where nothing is voiced. `prosody_data.py` makes of it what `voxgrad pretrain --set prosody=FILE` reads.
"""

import argparse
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from made_speech import NATIVE, Kokoro, Reader, float_network, speakers

DURATIONS, PITCH = "/encoder/Clip_output_0", "/encoder/F0_proj/Conv_output_0"
LOWEST = 40.0  # Hz: what is below is silence around the sentence


class Prosody(Kokoro):
    """Kokoro's duration and pitch networks alone."""

    def network(self) -> bytes:
        """The network, cut behind durations and pitch."""
        network = float_network()
        needed, kept = {DURATIONS, PITCH}, []
        for node in reversed(network.graph.node):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        del network.graph.node[:], network.graph.output[:]
        network.graph.node.extend(reversed(kept))
        network.graph.output.extend(onnx.ValueInfoProto(name=name) for name in (DURATIONS, PITCH))
        return network.SerializeToString()

    def predicted(self, letters: list[int], speaker: str) -> dict[str, list[float]]:
        """Frames of every letter and of the silences around, and F0 in Hz."""
        frames, f0 = self.run(letters, speaker)
        heard = np.where(f0.ravel() > LOWEST, f0.ravel(), 0.0).astype(float)
        return {"frames": frames.ravel().astype(int).tolist(), "f0": heard.round(1).tolist()}


def sentences(texts: Path, languages: list[str], count: int, voices: Path) -> Iterator[tuple[str, str, str]]:
    """Language, text and speaker."""
    for language in languages:
        turns = speakers(language, voices) if language == "en" else NATIVE[language]
        lines = (texts / f"{language}.txt").read_text(encoding="utf-8").splitlines()[:count]
        for text, speaker in zip(lines, itertools.cycle(turns)):
            yield language, text, speaker


def clips(folder: Path, language: str) -> Iterator[tuple[str, str, str]]:
    """The same of recordings that were made."""
    for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines():
        _, text, speaker, *_ = line.split("|")
        yield language, text, speaker


def write(kokoro: Prosody, rows: Iterable[tuple[str, str, str]], out: Path) -> int:
    """Writes what is predicted of each row; returns how many there are."""
    reader, known, done = Reader(), {number: letter for letter, number in kokoro.ids.items()}, 0
    with out.open("w", encoding="utf-8") as file:
        for language, text, speaker in rows:
            letters = kokoro.letters(reader(text, language))
            if not 2 <= len(letters) <= 300:
                continue
            row = {"language": language, "speaker": speaker, "text": text}
            row["letters"] = "".join(known[number] for number in letters)
            file.write(json.dumps(row | kokoro.predicted(letters, speaker), ensure_ascii=False) + "\n")
            done += 1
    return done


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", type=Path)
    parser.add_argument("texts", type=Path, nargs="?")
    parser.add_argument("languages")
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--sentences", type=int, default=4000, help="of each language")
    given = parser.parse_args()
    if given.clips is not None:
        rows = clips(given.clips, given.languages)
    else:
        rows = sentences(given.texts, given.languages.split(","), given.sentences, given.voices)
    print(write(Prosody(given.voices), rows, given.out), "sentences")


if __name__ == "__main__":
    main()
