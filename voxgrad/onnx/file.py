"""ONNX files: their metadata, the check that `voxgrad export` wrote them, simplification and quantisation.

Files from elsewhere are not loaded: ONNX Runtime is a large program in C++, and a graph can name files to read as
weights, loop for ever, or ask for all memory. Here the file is taken apart as what it is, a protocol buffer
(onnx.proto3), and only inputs, outputs, operators and metadata are looked at. So the small install needs no `onnx`.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from voxgrad.errors import BadInputError
from voxgrad.onnx.runtime import require_onnx
from voxgrad.settings import AcousticSpec, OnnxSpec
from voxgrad.settings.synthesis import Quantize

DIGEST: Final = "voxgrad.digest"
DESCRIPTION: Final = "voxgrad.voice"
INPUTS: Final = {"tokens": 7, "lengths": 7, "speed": 1, "pitch": 1, "temperature": 1, "noise": 1, "rise": 1}
SPEAKER_INPUT: Final = {"speaker": 7}
OUTPUTS: Final = {"audio": 1, "durations": 7, "mel": 1}
"""Names and element types: 1 float32, 7 int64 (TensorProto.DataType)."""

_OPERATORS: Final = """
Abs Add And ArgMax AveragePool Cast Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos CumSum
DequantizeLinear Div DynamicQuantizeLinear Equal Exp Expand Floor Gather GatherElements Gelu Gemm Greater
Identity LayerNormalization LeakyRelu Less LessOrEqual Log MatMul MatMulInteger Mod Mul Neg Not Or Pad Range
Reciprocal ReduceMax ReduceMean ReduceSum Relu Reshape Resize Round Shape Sigmoid Sin Slice Softmax Softplus
Split Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze Where
"""
OPERATORS: Final = frozenset(_OPERATORS.split())
"""What a graph of ours may consist of: none reads files, loops, calls functions or makes random numbers."""

_MOST_BYTES: Final = 2**31
_MODEL_GRAPH, _MODEL_OPSET, _MODEL_METADATA, _MODEL_FUNCTIONS = 7, 8, 14, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_TENSOR_DIMS, _TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 1, 8, 13, 14
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 5, 6, 11


@dataclass(frozen=True)
class GraphDescription:
    """The description that an exported graph carries in its metadata.

    Attributes:
        acoustic: what the voice carries.
        spec: how it was exported.
        name: of the voice.
        kind: ``voice`` or ``base``.
        lineage: reference and digest of the voice, its vocoder and what the voice was made from, by role.
        consent: the statement of the person whose voice it is.
        licence: of the voice.
        pitch: Hz, the mean of every speaker, by row.
    """

    acoustic: AcousticSpec
    spec: OnnxSpec
    name: str
    kind: str
    lineage: dict[str, dict[str, str]]
    consent: str | None
    licence: str | None
    pitch: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.pitch) != self.acoustic.model.n_spks:
            raise ValueError("a pitch for each speaker")

    def metadata(self) -> dict[str, str]:
        """The metadata of an ONNX file."""
        return {DESCRIPTION: json.dumps(_ADAPTER.dump_python(self), sort_keys=True, ensure_ascii=True)}


_ADAPTER = TypeAdapter(GraphDescription)


def described(content: bytes) -> tuple[GraphDescription, dict[str, str]]:
    """The description in a file, unchecked, and all its metadata.

    Raises:
        BadInputError: it is not an ONNX file, or does not describe a voice.
    """
    try:
        metadata = dict(_entry(value) for number, value in _fields(content) if number == _MODEL_METADATA)
        description = _ADAPTER.validate_json(metadata[DESCRIPTION])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            "the file is not an ONNX graph exported by voxgrad", "Export it with `voxgrad export --format onnx`."
        ) from error
    return description, metadata


def check(content: bytes) -> GraphDescription:
    """Check that `voxgrad export` wrote a file: its digest, inputs, outputs and operators.

    Raises:
        BadInputError: it is something else; the message says what.
    """
    description, metadata = described(content)
    try:
        problem = _problem(content, metadata, description)
    except (ValueError, TypeError, IndexError) as error:
        raise BadInputError("the ONNX file is damaged", "Export or download it again.") from error
    if problem is not None:
        hint = "Export it again with this version, or give --trust if you know who made it."
        raise BadInputError(f"the ONNX file differs from what voxgrad exports: {problem}", hint)
    return description


def digest(content: bytes) -> str:
    """SHA-256 of a model's bytes without its metadata, so that the digest can be part of that."""
    hashed = hashlib.sha256()
    for number, value in _fields(content):
        if number != _MODEL_METADATA:
            hashed.update(number.to_bytes(4, "little"))
            hashed.update(value if isinstance(value, memoryview) else value.to_bytes(8, "little"))
    return hashed.hexdigest()


def _problem(content: bytes, metadata: dict[str, str], description: GraphDescription) -> str | None:
    if metadata.get(DIGEST) != digest(content):
        return "its digest does not match its content"
    numbers = [number for number, _ in _fields(content)]
    graphs = [value for number, value in _fields(content) if number == _MODEL_GRAPH]
    if len(graphs) != 1 or _MODEL_FUNCTIONS in numbers:
        return "it contains functions, or not exactly one graph"
    wanted = INPUTS | (SPEAKER_INPUT if description.acoustic.model.n_spks > 1 else {})
    signature: dict[int, dict[str, int]] = {_GRAPH_INPUT: {}, _GRAPH_OUTPUT: {}}
    for number, value in _fields(graphs[0]):
        if number in signature:
            name, kind = _value_info(value)
            signature[number][name] = kind
        elif number == _GRAPH_NODE:
            if (problem := _node_problem(value)) is not None:
                return problem
        elif number == _GRAPH_SPARSE or (number == _GRAPH_INITIALIZER and _external(value)):
            return "it has weights outside the file"
    if signature != {_GRAPH_INPUT: wanted, _GRAPH_OUTPUT: OUTPUTS}:
        return "it has other inputs or outputs"
    return None


def _node_problem(node: Any) -> str | None:
    operator, domain = "", ""
    for number, value in _fields(node):
        if number == _NODE_OPERATOR:
            operator = _text(value)
        elif number == _NODE_DOMAIN:
            domain = _text(value)
        elif number == _NODE_ATTRIBUTE:
            for kind, part in _fields(value):
                if kind in {_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS}:
                    return "an operator contains another graph"
                if kind == _ATTRIBUTE_TENSOR and _external(part):
                    return "it has weights outside the file"
    if domain not in {"", "ai.onnx"} or operator not in OPERATORS:
        return f"the operator {domain + '.' if domain else ''}{operator[:40]!r} is not one that voxgrad uses"
    return None


def _external(tensor: Any) -> bool:
    return any(
        number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value != 0) for number, value in _fields(tensor)
    )


def _value_info(value: Any) -> tuple[str, int]:
    name, kind = "", 0
    for number, part in _fields(value):
        if number == 1:
            name = _text(part)
        elif number == 2:
            for type_number, tensor in _fields(part):
                if type_number == 1:
                    kind = next((int(entry) for field, entry in _fields(tensor) if field == 1), 0)
    return name, kind


def _entry(value: Any) -> tuple[str, str]:
    parts = {number: _text(part) for number, part in _fields(value)}
    return parts.get(1, ""), parts.get(2, "")


def _text(value: Any) -> str:
    if not isinstance(value, memoryview):
        raise TypeError("a number stands where a text belongs")
    return bytes(value).decode()


def _fields(message: Any) -> Iterator[tuple[int, Any]]:
    """Numbers and values of a protocol buffer's fields: memory views of what has a length, else integers.

    Raises:
        ValueError, TypeError: it is not a protocol buffer.
    """
    if isinstance(message, int):
        raise TypeError("a number stands where a message belongs")
    view = memoryview(message)
    at, end = 0, len(view)
    while at < end:
        key, at = _varint(view, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(view, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(view, at)
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if size > end - at:
            raise ValueError("a field reaches beyond its message")
        part = view[at : at + size]
        yield number, part if wire == 2 else int.from_bytes(part, "little")
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(view) and shift < 64:
        byte = view[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number does not end")


def external_initializers(content: bytes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the weights of a graph that lie outside it."""
    for number, graph in _fields(content):
        if number != _MODEL_GRAPH:
            continue
        for part, tensor in _fields(graph):
            if part == _GRAPH_INITIALIZER and _external(tensor):
                fields = list(_fields(tensor))
                name = next(_text(value) for field, value in fields if field == _TENSOR_NAME)
                yield name, tuple(size for field, value in fields if field == _TENSOR_DIMS for size in _sizes(value))


def _sizes(value: Any) -> list[int]:
    """One dimension, or all of them in a row."""
    if isinstance(value, int):
        return [value]
    sizes, at = [], 0
    while at < len(value):
        size, at = _varint(value, at)
        sizes.append(size)
    return sizes


def read(path: Path) -> bytes:
    """The content of an ONNX file.

    Raises:
        BadInputError: it cannot be read, or is too large to be one file.
    """
    try:
        if path.stat().st_size >= _MOST_BYTES:
            raise BadInputError(f"{path} is too large for an ONNX file", "Give an .onnx file that voxgrad exported.")
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read ({error.strerror})", "Give an .onnx file that voxgrad exported."
        ) from error


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
        optimised = onnx.load(target)
    # ONNX Runtime lists the domains of all its operators, whether they are used or not.
    used = {node.domain for node in optimised.graph.node}
    kept = [opset for opset in optimised.opset_import if opset.domain in used]
    del optimised.opset_import[:]
    optimised.opset_import.extend(kept)
    return optimised


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
    sizes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
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
