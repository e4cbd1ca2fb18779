"""Products of the package's graphs in float32, and in 8-bit integers with scales that are dynamic or static.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_quantization.py [--frames 517] [--repeats 60]

``dynamic`` is what `say` computes: the scale of the activations is taken from themselves (``DynamicQuantizeMatMul``).
``static`` would have scales from a calibration: from float32 to float32 (``QuantizeLinear`` and ``QGemm``), and between
operators that are all in 8 bits (``QLinearMatMul``). Processor time on one thread, median; the last row weighs every
product by how often it is in the three graphs.
"""

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from voxgrad.onnx.networks import EMBEDDED
from voxgrad.onnx.runtime import open_session

FUSED = "com.microsoft"
Node = onnx.NodeProto


def products() -> Counter[tuple[int, int]]:
    """Shapes (inputs, outputs) of the weights of all 8-bit products, and how many there are."""
    found: Counter[tuple[int, int]] = Counter()
    for path in EMBEDDED.glob("*.onnx"):
        graph = onnx.load(path, load_external_data=False).graph
        shapes = {one.name: tuple(one.dims) for one in graph.initializer}
        found.update(shapes[n.input[1]] for n in graph.node if n.op_type == "DynamicQuantizeMatMul")
    return found


def float32() -> list[Node]:
    return [helper.make_node("MatMul", ["x", "weight"], ["p"]), helper.make_node("Add", ["p", "bias"], ["y"])]


def dynamic() -> list[Node]:
    return [helper.make_node("DynamicQuantizeMatMul", ["x", "w8", "scale", "", "bias"], ["y"], domain=FUSED)]


def static() -> list[Node]:
    inputs = ["q", "x_scale", "x_zero", "w8", "scale", "w_zero", "bias32", "", ""]
    quantize = helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["q"])
    return [quantize, helper.make_node("QGemm", inputs, ["y"], domain=FUSED)]


def between_integers() -> list[Node]:
    inputs = ["x", "x_scale", "x_zero", "w8", "scale", "w_zero", "y_scale", "x_zero"]
    return [helper.make_node("QLinearMatMul", inputs, ["y"])]


FORMS: dict[str, Callable[[], list[Node]]] = {
    "float32": float32,
    "dynamic": dynamic,
    "static": static,
    "static, 8 bits in and out": between_integers,
}


def session(form: str, inputs: int, outputs: int) -> Any:
    """A session of one product."""
    drawn = np.random.default_rng(0)
    scale = drawn.uniform(0.001, 0.01, outputs).astype(np.float32)
    w8 = drawn.integers(-127, 127, (inputs, outputs), dtype=np.int8)
    bias = drawn.normal(size=outputs).astype(np.float32)
    arrays = {"w8": w8, "scale": scale, "bias": bias, "weight": (w8 * scale).astype(np.float32)}
    arrays |= {"x_scale": np.float32(0.03), "y_scale": np.float32(0.05), "x_zero": np.uint8(128)}
    arrays |= {"w_zero": np.zeros(outputs, np.int8), "bias32": (bias / 0.03 / scale).astype(np.int32)}
    nodes = FORMS[form]()
    kind = TensorProto.UINT8 if form.endswith("out") else TensorProto.FLOAT
    used = {name for node in nodes for name in node.input}
    stored = [numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items() if name in used]
    ends = [helper.make_tensor_value_info(name, kind, None) for name in "xy"]
    graph = helper.make_graph(nodes, "product", ends[:1], ends[1:], stored)
    versions = [helper.make_opsetid("", 20), helper.make_opsetid(FUSED, 1)]
    return open_session(helper.make_model(graph, opset_imports=versions, ir_version=9).SerializeToString(), 1)


def milliseconds(form: str, frames: int, inputs: int, outputs: int, repeats: int) -> float:
    """Median of the processor time of a product."""
    one, x = session(form, inputs, outputs), np.random.default_rng(1).normal(size=(frames, inputs))
    given = (x * 30 + 128).clip(0, 255).astype(np.uint8) if form.endswith("out") else x.astype(np.float32)
    spent = []
    for _ in range(repeats + 5):
        began = time.process_time()
        one.run(None, {"x": given})
        spent.append(time.process_time() - began)
    return statistics.median(spent[5:]) * 1000


def main() -> None:
    """Prints a row for every shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=517, help="6 s of speech have 517")
    parser.add_argument("--repeats", type=int, default=60)
    given = parser.parse_args()
    print(f"| inputs, outputs | products | {' | '.join(FORMS)} |\n| --- | --- |{' --- |' * len(FORMS)}")
    total = dict.fromkeys(FORMS, 0.0)
    for (inputs, outputs), count in sorted(products().items()):
        found = {form: milliseconds(form, given.frames, inputs, outputs, given.repeats) for form in FORMS}
        total = {form: total[form] + count * found[form] for form in FORMS}
        print(f"| {inputs}, {outputs} | {count} | {' | '.join(f'{ms:.3f}' for ms in found.values())} |", flush=True)
    print(f"| all, ms | {products().total()} | {' | '.join(f'{ms:.0f}' for ms in total.values())} |")


if __name__ == "__main__":
    main()
