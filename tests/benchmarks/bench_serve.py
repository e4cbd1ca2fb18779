"""`voxgrad serve` under load: latency, throughput beside `say`, memory, and short sentences beside a book.

    python tests/benchmarks/bench_serve.py [--clients N] [--each N] [--requests N] [--voice REF] [--home DIR]

Every answer is checked by the recipe in its audio: text, seed and voice must be those that were asked for.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from voxgrad.audio.writers import read_comment
from voxgrad.voice.metadata import read_recipe

MAIN = [sys.executable, "-c", "from voxgrad.cli.main import run; run()"]
SHORT = "Sentence number {} was said by client {}."
BOOK = (
    "The boat was tied to the pier with a thick rope, and nobody on the shore had seen who left it there that night. "
    "In the morning the fishermen stood around it, and each of them had a story of his own to tell.\n\n"
)
BOOK_MINUTES = 20
CHARACTERS_A_MINUTE = 900


@contextmanager
def serving(options: argparse.Namespace) -> Iterator[tuple[httpx.Client, int]]:
    """A server of its own, and the id of its process."""
    home = [] if options.home is None else ["--home", options.home]
    command = [*MAIN, *home, "--json", "serve", "--port", "0", "--queue", str(2 * options.clients)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = json.loads(process.stdout.readline())["address"]
        limits = httpx.Limits(max_connections=options.clients + 8)
        with httpx.Client(base_url=address, timeout=600, trust_env=False, limits=limits) as client:
            yield client, process.pid
    finally:
        process.terminate()
        process.wait()


class Asker:
    """Asks for sentences, and checks what comes."""

    def __init__(self, client: httpx.Client, voice: str | None) -> None:
        self._client, self._voice = client, voice
        self.failures: list[str] = []

    def ask(self, text: str, seed: int) -> tuple[float, float]:
        """Seconds to the first audio, and of audio."""
        body = {"input": text, "seed": seed, "response_format": "wav", "voice": self._voice}
        began, first, content = time.perf_counter(), 0.0, b""
        with self._client.stream("POST", "/v1/audio/speech", json=body) as answer:
            for part in answer.iter_bytes():
                first = first or time.perf_counter() - began
                content += part
        if answer.status_code != 200:
            self.failures.append(f"{answer.status_code}: {content[:200]!r}")
            return first, 0.0
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            file.write(content)
            file.flush()
            recipe = read_recipe(read_comment(Path(file.name)), "the answer")
        if recipe is None or (recipe.text, recipe.seed) != (text, seed):
            self.failures.append(f"mixed up: asked for {text!r}, seed {seed}")
        return first, (len(content) - content.index(b"data") - 8) / 2 / 22050


def resident(process: int) -> float:
    """Megabytes of a process and its children."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(status.parent.name) == process or int(lines["PPid"]) == process:
            total += int(lines.get("VmRSS", "0 kB").split()[0])
    return total / 1000


def say_from_a_list(texts: list[str], options: argparse.Namespace) -> float:
    """Seconds that `say` takes for the same sentences, loading left out by a list of one."""

    def seconds(lines: list[str]) -> float:
        with tempfile.TemporaryDirectory() as scratch:
            listed = Path(scratch) / "list.txt"
            listed.write_text("".join(f"{json.dumps({'text': line})}\n" for line in lines), encoding="utf-8")
            voice = [] if options.voice is None else ["--voice", options.voice]
            home = [] if options.home is None else ["--home", options.home]
            began = time.perf_counter()
            command = [*MAIN, *home, "-q", "say", "-f", listed, "-d", scratch, *voice]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - began

    return seconds(texts) - seconds(texts[:1])


def report(name: str, value: str) -> None:
    print(f"{name:44} {value}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--voice")
    parser.add_argument("--home")
    options = parser.parse_args()
    report("load average at the start", f"{os.getloadavg()[0]:.1f} of {os.cpu_count()} processors")
    with serving(options) as (client, process):
        asker = Asker(client, options.voice)
        report("first audio of the first request", f"{asker.ask(BOOK, 0)[0]:.3f} s")
        idle = [asker.ask(SHORT.format(number, "none"), number)[0] for number in range(20)]
        report("first audio, idle: median, worst", f"{statistics.median(idle):.3f} s, {max(idle):.3f} s")

        texts = [SHORT.format(n, c) for c in range(options.clients) for n in range(options.each)]
        shares = [texts[start :: options.clients] for start in range(options.clients)]
        began = time.perf_counter()
        with ThreadPoolExecutor(options.clients) as threads:
            spoken = list(
                threads.map(lambda share: [asker.ask(text, len(text) + i) for i, text in enumerate(share)], shares)
            )
        took = time.perf_counter() - began
        audio = sum(seconds for share in spoken for _, seconds in share)
        report(f"{len(texts)} sentences of {options.clients} clients", f"{took:.1f} s for {audio:.1f} s of audio")
        report("failed, lost or mixed up", str(len(asker.failures)))
        alone = say_from_a_list(texts, options)
        report(
            "the same by `say` from a list",
            f"{alone:.1f} s; the server took {took / alone:.2f} times as long",
        )

        before = resident(process)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: asker.ask(f"Request {n}.", n), range(options.requests)))
        after = resident(process)
        report(f"memory before and after {options.requests} requests", f"{before:.0f} MB, {after:.0f} MB")

        book = BOOK * (BOOK_MINUTES * CHARACTERS_A_MINUTE // len(BOOK))
        stop = threading.Event()

        def listen() -> None:
            body = {"input": book, "response_format": "pcm", "voice": options.voice}
            with client.stream("POST", "/v1/audio/speech", json=body) as answer:
                for _ in answer.iter_bytes():
                    if stop.is_set():
                        return

        reader = threading.Thread(target=listen)
        reader.start()
        time.sleep(2)
        beside = [asker.ask(SHORT.format(number, "none"), number)[0] for number in range(20)]
        stop.set()
        reader.join()
        ratio = statistics.median(beside) / statistics.median(idle)
        report("first audio beside a book: median", f"{statistics.median(beside):.3f} s, {ratio:.2f} times idle")
    for failure in asker.failures[:10]:
        report("failure", failure)
    return 1 if asker.failures else 0


if __name__ == "__main__":
    sys.exit(main())
