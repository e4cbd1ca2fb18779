"""How fast text is read, and how soon the first sentence: `make bench`, or run this file.

Lines per second are those of one core over ../shared/data/texts/ljspeech.txt, each mode in a process of its own;
the start is what importing the front end and reading one sentence costs beyond starting Python, the best of five. All
is processor time, which does not depend on what else the machine does.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = ROOT.parent / "shared" / "data" / "texts" / "ljspeech.txt"
SENTENCE = "Dr. Smith read the close of the 1830 contract aloud, blorptastic as it was."

READ_ALL = """
import sys, time
from pathlib import Path
from voxgrad.settings import TextSpec
from voxgrad.text.tokens import encode
lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
spec = TextSpec(frontend=sys.argv[2])
started = time.process_time()
for line in lines:
    encode(line, spec)
print(len(lines), time.process_time() - started)
"""
READ_ONE = """
import sys
from voxgrad.settings import TextSpec
from voxgrad.text.tokens import encode
encode(sys.argv[1], TextSpec())
"""
TIMED = "\nimport time\nprint(time.process_time())"
PLAIN = SENTENCE.replace("blorptastic", "splendid")


def run(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout


def seconds(program: str, *arguments: str) -> float:
    return min(float(run(program + TIMED, *arguments)) for _ in range(5))


def main() -> None:
    print(f"{'':34}measured     target")
    if LINES.is_file():
        for mode in ("voxgrad", "official"):
            count, taken = run(READ_ALL, str(LINES), mode).split()
            print(f"{mode + ' mode, lines per second':34}{int(count) / float(taken):8.0f}     >= 1000")
    else:
        print(f"no {LINES.name} in ../shared/data/texts: lines per second are not measured")
    python = seconds("pass")
    print(f"{'import and first sentence':34}{seconds(READ_ONE, PLAIN) - python:8.3f} s   < 0.3 s")
    print(f"{'the same with a word to guess':34}{seconds(READ_ONE, SENTENCE) - python:8.3f} s")


if __name__ == "__main__":
    main()
