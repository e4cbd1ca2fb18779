"""What a second of speech takes: multiplications and bytes of weights, counted in a profile of ONNX Runtime.

    python tests/benchmarks/bench_operations.py [--voice base/english]

A multiplication is one of a matrix product or a convolution, counted from the shapes that the operators had while ten
sentences were spoken. Weights are counted as often as they are read: once for every product that they take part in.
"""

import argparse
import json
import math
import tempfile
from collections import Counter
from pathlib import Path

import onnxruntime

import voxgrad
from voxgrad.onnx.export import SENTENCES

INTEGERS, FLOATS, WEIGHTS = "in 8-bit integers", "in float32", "bytes of weights"
PARTS = {"prior": "text encoder, pitch, frame-level mean", "score": "score network, two steps", "vocoder": "vocoder"}


class Profiled(onnxruntime.SessionOptions):
    """Options of a session that writes a profile."""

    def __init__(self) -> None:
        super().__init__()
        self.enable_profiling = True
        self.profile_file_prefix = str(Path(tempfile.gettempdir()) / "voxgrad-profile")


def counted(profile: Path) -> Counter[str]:
    """The operations of a profile, which is deleted."""
    found: Counter[str] = Counter()
    for event in json.loads(profile.read_text()):
        if event.get("cat") != "Node" or not event["name"].endswith("kernel_time"):
            continue
        operator = event["args"]["op_name"]
        inputs = [(kind, shape) for entry in event["args"]["input_type_shape"] for kind, shape in entry.items()]
        (output,) = event["args"]["output_type_shape"][0].values()
        if operator in {"MatMul", "Gemm", "DynamicQuantizeMatMul"}:
            kind, weight = inputs[1]
            found[INTEGERS if kind == "int8" else FLOATS] += math.prod(output) * inputs[0][1][-1]
        elif operator == "Conv":
            kind, weight = inputs[1]
            found[FLOATS] += math.prod(output) * math.prod(weight[1:])
        else:
            continue
        found[WEIGHTS] += math.prod(weight) * (1 if kind == "int8" else 4)
    profile.unlink()
    return found


def main() -> None:
    """Prints a row for every network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", default="base/english")
    given = parser.parse_args()
    onnxruntime.SessionOptions = Profiled
    voice = voxgrad.load(given.voice, engine="onnx")
    seconds = sum(voice.say(sentence).seconds for sentence in SENTENCES[:10])
    print(f"| for a second of speech | {INTEGERS} | {FLOATS} | {WEIGHTS} |\n| --- | --- | --- | --- |")
    total: Counter[str] = Counter()
    for name, called in PARTS.items():
        found = counted(Path(getattr(voice.engine.network, name).end_profiling()))
        total += found
        print(row(called, found, seconds))
    print(row("all", total, seconds))


def row(called: str, found: Counter[str], seconds: float) -> str:
    """Billions of multiplications, and megabytes."""
    billions = (f"{found[what] / seconds / 1e9:.2f} billion" for what in (INTEGERS, FLOATS))
    return f"| {called} | {' | '.join(billions)} | {found[WEIGHTS] / seconds / 1e6:.0f} MB |"


if __name__ == "__main__":
    main()
