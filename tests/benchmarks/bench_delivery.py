"""Loudness and true peak, as FFmpeg's meter finds them, of 50 sentences, of a stream and of a book.

python tests/benchmarks/bench_delivery.py
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "documents")]
from books import write_epub  # noqa: E402
from meter import Found, examine  # noqa: E402

PROMPTS = (ROOT / "voxgrad" / "preparation" / "prompts.txt").read_text(encoding="utf-8").splitlines()
SENTENCES = [line for line in map(str.strip, PROMPTS) if line and not line.startswith("#")][:50]
PARAGRAPHS = [" ".join(SENTENCES[start : start + 5]) for start in range(0, 50, 5)]
KINDS = {
    "podcast, wav": ("--for", "podcast", "--format", "wav"),
    "podcast, mp3": ("--for", "podcast", "--format", "mp3"),
    "podcast, m4a in stereo": ("--for", "podcast", "--format", "m4a", "--stereo"),
    "podcast, opus": ("--for", "podcast", "--format", "opus", "--rate", "48000"),
    "audiobook, mp3": ("--for", "audiobook", "--format", "mp3"),
}


def say(*arguments: object, text: str = "", cwd: Path) -> bytes:
    program = [sys.executable, "-c", "from voxgrad.cli.main import run; run()", "say", "-q", "--voice", "base/english"]
    command = [*program, "--home", "home", *map(str, arguments)]
    return subprocess.run(command, input=text.encode(), cwd=cwd, check=True, stdout=subprocess.PIPE).stdout


def measured(how: tuple[str, ...], cwd: Path) -> Iterator[tuple[str, list[Found]]]:
    say(*how, "-d", "sentences", text="\n".join(SENTENCES), cwd=cwd)
    yield "50 sentences", [examine(path) for path in sorted((cwd / "sentences").iterdir())]
    (cwd / "stream.wav").write_bytes(say(*how, "-o", "-", text="\n".join(PARAGRAPHS), cwd=cwd))
    yield "stream (wav)", [examine(cwd / "stream.wav")]
    pages = {f"{number}.xhtml": f"<h1>Part</h1><p>{text}</p>" for number, text in enumerate(PARAGRAPHS)}
    book = write_epub(cwd / "book.epub", pages, [])
    say(book.name, *how, "-d", "book", "--chapters", "1", cwd=cwd)
    name = f"book.{next((cwd / 'book').iterdir()).suffix.removeprefix('.')}"
    say(book.name, *how, "-o", name, cwd=cwd)
    yield "book", [examine(cwd / name)]


if __name__ == "__main__":
    print("| | | loudness, LUFS: lowest, mean, highest | highest true peak, dB |\n| --- | --- | --- | --- |")
    for kind, how in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            for what, found in measured(how, Path(folder)):
                lufs = np.array([one.lufs for one in found])
                shown = ", ".join(f"{value:.2f}" for value in (lufs.min(), lufs.mean(), lufs.max()))
                print(f"| {kind} | {what} | {shown} | {max(one.peak for one in found):.2f} |", flush=True)
