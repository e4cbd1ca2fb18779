"""Some speech of every reader of LibriTTS or LibriTTS-R (CC BY 4.0, openslr.org/60 and /141), to train a base on.

    python libritts_speech.py LibriTTS_R/train-clean-100 OUT --seconds 60
    voxgrad prepare OUT --name libritts --base none --licence "LibriTTS-R, CC BY 4.0" --no-consent-needed "published"

OUT gets links to the recordings, and ``metadata.csv`` with ``file|text|speaker``. Of each reader it takes whole
utterances from every chapter in turn, of 2 to 14 seconds, but none of those that the tests of a base hold out.
"""

import argparse
import re
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

import soundfile

HELD_OUT = {"163", "289", "625", "1970", "3982", "4898", "5688", "5750", "5808", "6000"}
SHORTEST, LONGEST = 2.0, 14.0  # seconds


def utterances(reader: Path) -> Iterator[tuple[Path, str, float]]:
    """Recording, text and seconds of utterances of a reader, from all chapters in turn."""
    chapters = [sorted(chapter.glob("*.wav")) for chapter in sorted(reader.iterdir()) if chapter.is_dir()]
    for recording in (one for turn in zip_longest(*chapters) for one in turn if one is not None):
        written = recording.with_suffix(".normalized.txt")
        seconds = soundfile.info(recording).duration
        if SHORTEST <= seconds <= LONGEST and written.exists():
            yield recording, re.sub(r"[|\s]+", " ", written.read_text(encoding="utf-8")).strip(), seconds


def chosen(reader: Path, most: float) -> Iterator[tuple[Path, str]]:
    """The first so many seconds of them."""
    total = 0.0
    for recording, text, seconds in utterances(reader):
        if total + seconds <= most:
            total += seconds
            yield recording, text


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=60, help="of each reader")
    given = parser.parse_args()
    readers = [one for one in sorted(given.corpus.iterdir()) if one.is_dir() and one.name not in HELD_OUT]
    given.out.mkdir(parents=True)
    lines = []
    for recording, text in chain.from_iterable(chosen(reader, given.seconds) for reader in readers):
        (given.out / recording.name).symlink_to(recording.resolve())
        lines.append(f"{recording.name}|{text}|libri-{recording.name.partition('_')[0]}")
    (given.out / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} utterances of {len(readers)} readers")


if __name__ == "__main__":
    main()
