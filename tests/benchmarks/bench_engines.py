"""torch and ONNX Runtime beside each other: cold start, memory, and seconds of work for a second of sound.

    pip install 'voxgrad[onnx]'
    python tests/benchmarks/bench_engines.py --voice base/english --vocoder REF [--steps 2] [--runs 5]

A cold start is `voxgrad say "hello"` as a process of its own, each with another seed so that nothing is found; the
graphs were made before. Work is measured over the sentences on which graphs are checked, in processor time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from voxgrad.settings import SynthesisSpec
from voxgrad.store import Store
from voxgrad.voice import load

SAY = """
import sys
from voxgrad.voice import load
load.QUANTIZE = sys.argv.pop(1)
from voxgrad.cli.main import run
run()
"""


def cold(engine: str, quantize: str, options: list[str], seed: int) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of the processor, and megabytes of one `say`."""
    command = [
        sys.executable,
        "-c",
        SAY,
        quantize,
        "say",
        "hello",
        "--engine",
        engine,
        "--seed",
        str(seed),
        *options,
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def factor(store: Store, engine: str, quantize: str, given: argparse.Namespace) -> float:
    """Processor seconds for a second of sound."""
    from voxgrad.onnx.export import SENTENCES

    load.QUANTIZE = quantize
    synthesis = SynthesisSpec(steps=given.steps)
    voice = load.load_voice(store, given.voice, given.vocoder, engine=engine, synthesis=synthesis)
    voice.say("Hello.", steps=given.steps)
    started, seconds = time.process_time(), 0.0
    for seed, sentence in enumerate(SENTENCES):
        seconds += voice.say(sentence, seed=seed, steps=given.steps).seconds
    return (time.process_time() - started) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", default="base/english")
    parser.add_argument("--vocoder", required=True)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--work-of", nargs=2, metavar=("ENGINE", "WEIGHTS"), help="print its factor alone")
    given = parser.parse_args()
    store = Store.open(given.home)
    if given.work_of is not None:
        print(factor(store, *given.work_of, given))
        return
    print(
        "| engine | cold start s | of it processor s | memory MB | real-time factor |\n| --- | --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as scratch:
        options = ["--voice", given.voice, "--vocoder", given.vocoder, "--steps", str(given.steps), "-q"]
        options += ["--home", str(store.home), "-o", f"{scratch}/hello.wav"]
        for engine, quantize in (("torch", "none"), ("onnx", "none"), ("onnx", "int8")):
            # In a process of its own: what starts another lends it the mark of its largest size.
            again = [sys.executable, __file__, *sys.argv[1:], "--work-of", engine, quantize]
            work = float(subprocess.run(again, check=True, stdout=subprocess.PIPE, text=True).stdout)
            base = int(time.time()) * 1000
            found = [cold(engine, quantize, options, base + run) for run in range(given.runs)]
            clock, processor, memory = (min(column) for column in zip(*found, strict=True))
            name = engine if engine == "torch" else f"onnx, {quantize}"
            print(f"| {name} | {clock:.2f} | {processor:.2f} | {memory:.0f} | {work:.3f} |", flush=True)


if __name__ == "__main__":
    main()
