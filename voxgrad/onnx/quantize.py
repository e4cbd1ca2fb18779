"""Smaller weights for ONNX graphs, and constants computed beforehand."""

import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from voxgrad.onnx.runtime import require_onnx
from voxgrad.settings.onnx import Quantize

_LARGE = 16384
"""Elements of a weight that is worth quantising."""
_NOISE = "noise"
"""A table, for which sixteen bits are enough."""
_EXACT = ("filters", "shares", "envelope")
"""Tables of the vocoder, not weights, by the last part of their names: what is computed with them is to be right."""


def simplified(model: Any) -> Any:
    """A model whose constants ONNX Runtime has folded, in operators of ONNX alone: it loads in a third of the time."""
    import onnxruntime  # noqa: PLC0415

    onnx = require_onnx()
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["MatMulAddFusion"],  # its Gemm is not quantised
        )
        found = onnx.load(target)
    # ONNX Runtime lists the domains of all its operators, whether they are used or not.
    used = {node.domain for node in found.graph.node}
    kept = [one for one in found.opset_import if one.domain in used]
    del found.opset_import[:]
    found.opset_import.extend(kept)
    return found


def quantized(model: Any, how: Quantize) -> Any:
    """A model with weights of another type.

    ``int8``: matrix products by constants become products of 8-bit integers, a scale for every column of the weight
    and one for the input; all other large weights are kept as 8-bit integers and computed with in float32.
    ``half``: all large weights are kept as float16 and computed with in float32.
    """
    if how == "int8":
        model = _integer_products(model)
    if how != "none":
        _small_weights(model, how)
    return model


def _integer_products(model: Any) -> Any:
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415

    onnx = require_onnx()
    sizes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    chosen = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul"
        and not node.input[1].endswith(_EXACT)
        and len(sizes.get(node.input[1], ())) == 2
        and np.prod(sizes[node.input[1]]) >= _LARGE
    ]
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})  # else it warns of it
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "model.onnx"
        quantize_dynamic(
            model,
            target,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=chosen,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(target)


def _small_weights(model: Any, how: Literal["half", "int8"]) -> None:
    """Keeps large float32 weights as float16 or 8-bit integers, and puts float32 back in the graph."""
    onnx = require_onnx()
    nodes = []
    for weight in list(model.graph.initializer):
        noise = weight.name.endswith(_NOISE)
        if (
            weight.data_type != onnx.TensorProto.FLOAT
            or np.prod(weight.dims) < _LARGE
            or (len(weight.dims) < 2 and not noise)
            or weight.name.endswith(_EXACT)
        ):
            continue
        values = onnx.numpy_helper.to_array(weight)
        small = f"{weight.name}.{how}"
        if how == "half" or noise:
            added = [onnx.numpy_helper.from_array(values.astype(np.float16), small)]
            node = onnx.helper.make_node("Cast", [small], [weight.name], name=f"{small}.cast", to=1)
        else:
            scale = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True).clip(1e-9) / 127
            rounded = np.rint(values / scale).astype(np.int8)
            added = [
                onnx.numpy_helper.from_array(rounded, small),
                onnx.numpy_helper.from_array(scale.reshape(-1).astype(np.float32), f"{small}.scale"),
            ]
            node = onnx.helper.make_node(
                "DequantizeLinear", [small, f"{small}.scale"], [weight.name], name=f"{small}.restore", axis=0
            )
        model.graph.initializer.extend(added)
        model.graph.initializer.remove(weight)
        nodes.append(node)
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
