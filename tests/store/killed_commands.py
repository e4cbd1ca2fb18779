"""Commands that are killed at random moments: started by test_faults.py.

Usage: killed_commands.py FOLDER TIMES SEED. FOLDER has a home with the artifacts of the tests' chain, its
recordings, `robot`, and `speech.voxgrad`. One process imports everything once and forks for every attempt. The
commands prepare, finetune, say, import and gc take turns, each on work of its own, and each is killed
somewhere between its beginning and its usual end, until that came in time TIMES times. Prints one JSON object.
"""

import contextlib
import io
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numba
import torch._dynamo
from PIL import PngImagePlugin

from voxgrad.audio import praat
from voxgrad.cli import terminal
from voxgrad.cli.main import main
from voxgrad.events import ignore
from voxgrad.steps import prepare, say, train, weights
from voxgrad.store import Artifact, Lineage, Store, archive, maintenance
from voxgrad.store.artifact import entries
from voxgrad.store.maintenance import remove, verify

IMPORTED = (
    numba,
    torch._dynamo,
    PngImagePlugin,
    terminal,
    praat,
    prepare,
    say,
    train,
    weights,
    archive,
    maintenance,
)
"""What the commands would import in every fork."""


def words(command: str, number: int, folder: Path) -> list[str]:
    """Work that was never done before."""
    return {
        "prepare": [
            *("prepare", str(folder / "robot"), "--name", f"d{number}", "--jobs", "1"),
            *("--no-consent-needed", "a program speaks"),
        ],
        "finetune": [
            *("finetune", "--data", "robot", "--base", "robots", "--name", f"v{number}", "--no-card"),
            *("--preset", "tiny", "--set", "precision=float32"),
            *("--set", "stages.0.steps=4", "--set", "stages.0.batch_size=2", "--set", "stages.0.warmup=0"),
            *("--set", "stages.1.steps=2", "--set", "stages.1.batch_size=2", "--set", "stages.1.crop=32"),
        ],
        "say": [
            *("say", "Hello.", "-o", str(folder / "o.wav"), "--voice", "voice/robot", "--vocoder", "griffinlim"),
            *("--steps", "1", "--seed", str(number)),
        ],
        "import": ["import", str(folder / "speech.voxgrad"), "--name", f"i{number}"],
        "gc": ["gc", "--days", "0"],
    }[command]


def attempt(arguments: list[str], home: Path, after: float | None) -> tuple[bool, float]:
    """Runs a command in a fork and kills it after so many seconds; whether it said that it was done, and seconds."""
    answer, say_so = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as told:
            code = main([*arguments, "--home", str(home), "-q"])
        os.write(say_so, b"done" if code == 0 else told.getvalue().encode())
        os._exit(0)
    os.close(say_so)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(answer, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if told not in {b"", b"done"}:
        raise RuntimeError(f"{arguments[0]}: {told.decode()}")
    return told == b"done", time.monotonic() - began


def torn(store: Store) -> list[str]:
    lineage = Lineage(store)
    own = [one for one in lineage.everything if not one.embedded]
    return [str(found.artifact) for found in verify(lineage, own, full=True, emit=ignore)]


def before_gc(store: Store, acknowledged: set[str]) -> None:
    """Gives it something to do: an hour passes for what was left behind, and something is removed."""
    for directory in entries(store.home / "tmp"):
        for one in (*directory.rglob("*"), directory):
            os.utime(one, (0, 0))
    for one in [one for one in store.list("speech") if one.name.startswith("i")][:2]:
        remove(store, one)
        acknowledged.discard(one.digest)


def run(folder: Path, times: int, seed: int) -> dict[str, object]:
    commands = ["prepare", "finetune", "say", "import", "gc"]
    chance, home = random.Random(seed), folder / "home"
    store = Store.open(home)
    usual = {}
    for command in commands:
        # The first time of all is no measure: code is compiled, and files come from the disk.
        for number in (1_000_000, 1_000_001):
            done, usual[command] = attempt(words(command, number, folder), home, None)
            assert done, command
    acknowledged = {one.digest for one in store.list()}
    told = {"torn": [], "lost": [], "closed": 0, "killed": dict.fromkeys(commands, 0), "acknowledged": 0}
    for number in range(2 * times):
        if sum(told["killed"].values()) == times:
            break
        command = commands[number % len(commands)]
        if command == "gc":
            before_gc(store, acknowledged)
        runs = sorted((home / "runs").glob("*"))
        done, _ = attempt(words(command, number, folder), home, chance.uniform(0, 0.9) * usual[command])
        told["killed"][command] += not done
        told["acknowledged"] += done
        told["closed"] += main(["ls", "--home", str(home), "--json"]) != 0
        there = {one.digest for one in store.list()}
        told["lost"] += sorted(acknowledged - there)
        told["torn"] += torn(store)
        if done and command != "gc":
            acknowledged |= there
        (folder / "told.json").write_text(json.dumps({**told, "attempts": number + 1}))
        if command == "gc" and runs != sorted((home / "runs").glob("*")):
            told["lost"].append("a run")
    before_gc(store, acknowledged)
    attempt(words("gc", 0, folder), home, None)
    told["left"] = [path.name for path in entries(home / "tmp")]
    told["artifacts"] = len([one for one in store.scan() if isinstance(one, Artifact) and not one.embedded])
    return told


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        answer = run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(answer))
