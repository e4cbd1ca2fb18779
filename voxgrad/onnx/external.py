"""Makes ONNX graphs of an architecture: traced without weights, which every voice or vocoder brings in its own file.

`voxgrad.onnx.networks` loads them. The name of an initializer is that of a tensor in the weights, with what is done to
it: see `voxgrad.onnx.networks.initializers`.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxgrad.acoustic_model import AcousticModel
from voxgrad.files import atomic_write
from voxgrad.onnx.export import traced, vocoder_graph
from voxgrad.onnx.file import simplified
from voxgrad.onnx.graph import PriorGraph, ScoreGraph
from voxgrad.onnx.networks import (
    INTEGERS,
    PRIOR,
    SCALES,
    SCORE,
    TRANSPOSED,
    acoustic_key,
    file_name,
    graphs_in,
    vocoder_key,
)
from voxgrad.onnx.runtime import require_onnx
from voxgrad.packing import worth_packing
from voxgrad.settings.synthesis import Quantize
from voxgrad.vocoder.registry import Vocoder

_FUSED: Final = "com.microsoft"
"""The domain of ONNX Runtime's operators beyond ONNX."""
_TOKENS, _FRAMES = 41, 64
"""Of the examples that are traced."""


@dataclass(frozen=True)
class _Network:
    """What becomes one graph."""

    file: str
    """Its name and its key."""
    module: nn.Module
    prefix: str
    """What the module puts before the names of the weights."""
    weights: Mapping[str, Tensor]
    """As the safetensors file has them."""
    inputs: Mapping[str, Tensor]
    """Examples."""
    outputs: Sequence[str]
    lengths: dict[str, dict[int, str]]
    """Names of the axes that may be of any length, by input or output."""


def write_graphs(place: Path, acoustic: AcousticModel, vocoder: Vocoder, quantize: Quantize) -> None:
    """Write the graphs of an acoustic model and of a vocoder, where there are none yet.

    They are such as `voxgrad.onnx.export.require_exportable` lets pass.

    Raises:
        BadInputError: the extra ``onnx`` is not installed.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    folder = graphs_in(place)
    for network in (*_acoustic(acoustic, quantize), _vocoder(vocoder, quantize)):
        path = folder / network.file
        if not path.is_file():
            content = _exported(network, quantize)
            folder.mkdir(exist_ok=True)
            with atomic_write(path) as temporary:
                temporary.write_bytes(content)


def _acoustic(acoustic: AcousticModel, quantize: Quantize) -> tuple[_Network, _Network]:
    model, spec = acoustic.model.eval(), acoustic.spec.model
    key, weights, one = acoustic_key(acoustic.spec, quantize), model.state_dict(), torch.ones(1)
    tokens = torch.arange(1, _TOKENS + 1)[None] % spec.n_vocab
    mel, features = torch.randn(1, spec.n_feats, _FRAMES), torch.randn(1, _FRAMES, spec.frame_channels)
    row = {"speaker": torch.zeros(1, dtype=torch.long)} if spec.n_spks > 1 else {}
    read = {"tokens": tokens, "scale": one, "pitch": 0 * one, "rise": 0 * one, "pitch_range": one, **row}
    by_token = {"tokens": {1: "tokens"}, "durations": {1: "tokens"}}
    by_token |= {name: {0: f"{name}s"} for name in ("scale", "pitch", "rise")}
    by_frame = {"mu": {2: "frames"}, "features": {1: "frames"}}
    ask = {"x": mel, "t": 0.5 * one, "mu": mel, "features": features, **row}
    spread = {"x": {2: "frames"}, "score": {2: "frames"}, **by_frame}
    prior = PriorGraph(model).eval()
    return (
        _Network(
            file_name(PRIOR, key), prior, "model.", weights, read, ("durations", *by_frame), {**by_token, **by_frame}
        ),
        _Network(file_name(SCORE, key), ScoreGraph(model).eval(), "model.", weights, ask, ("score",), spread),
    )


def _vocoder(vocoder: Vocoder, quantize: Quantize) -> _Network:
    if vocoder.network is None:
        raise ValueError("a vocoder without weights is refused before")
    mel = torch.zeros(1, vocoder.mel.n_mels, _FRAMES)
    spec, settings = vocoder.spec.model_dump(mode="json"), vocoder.mel.model_dump(mode="json")
    key = vocoder_key(vocoder.name, spec, settings, quantize)
    module = vocoder_graph(vocoder).eval()
    prefix = "" if module is vocoder.network else "network."
    return _Network(
        *(file_name(vocoder.name, key), module, prefix, vocoder.network.state_dict()),
        *({"mel": mel}, ("audio",), {"mel": {2: "frames"}}),
    )


def _exported(network: _Network, quantize: Quantize) -> bytes:
    """The content of a file."""
    example = tuple(network.inputs.values())
    model = traced(network.module, example, list(network.inputs), list(network.outputs), network.lengths, fold=False)
    weights = _as_inputs(model, {network.prefix + name: name for name in network.weights})
    model = simplified(model)
    if quantize == "int8":
        large = {name + TRANSPOSED for name, tensor in network.weights.items() if worth_packing(tuple(tensor.shape))}
        _multiply_integers(model, large)
    _as_external(model, weights)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _as_inputs(model: Any, names: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Make weights inputs, under their ``names`` in the file by those in the graph; transposed where the graph does so.

    Inputs have no values, so that simplifying the graph cannot compute with those of the voice that is traced.

    Returns:
        Their values.
    """
    onnx = require_onnx()
    graph = model.graph
    given = [entry for entry in graph.input if entry.name not in {tensor.name for tensor in graph.initializer}]
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name in names}
    tables = [tensor for tensor in graph.initializer if tensor.name not in names]
    constants = {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}
    renamed = {name: names[name] for name in found}
    values = {renamed[name]: value for name, value in found.items()}
    nodes = []
    for node in graph.node:
        value = found.get(node.input[0]) if node.input else None
        if value is not None and node.op_type == "Transpose" and value.ndim == 2:
            name, value = names[node.input[0]] + TRANSPOSED, value.T
        elif value is not None and node.op_type == "Unsqueeze":
            name, value = (
                names[node.input[0]],
                np.expand_dims(value, *onnx.numpy_helper.to_array(constants[node.input[1]])),
            )
        else:
            nodes.append(node)
            continue
        renamed[node.output[0]], values[name] = name, value
    for node in nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    used = {name for node in nodes for name in node.input}
    values = {name: value for name, value in values.items() if name in used}
    weights = [_typed(name, value) for name, value in values.items()]
    for field, content in ((graph.node, nodes), (graph.initializer, tables), (graph.input, [*given, *weights])):
        _replace(field, content)
    return values


def _multiply_integers(model: Any, large: Collection[str]) -> None:
    """Let products with large matrices be products of 8-bit integers, each with the bias that is added next."""
    onnx = require_onnx()
    graph = model.graph
    readers = Counter(name for node in graph.node for name in node.input)
    adds = {name: node for node in graph.node if node.op_type == "Add" for name in node.input}
    vectors = {entry.name for entry in graph.input if len(entry.type.tensor_type.shape.dim) == 1}
    nodes, done = [], set()
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in large:
            key, bias, output = node.input[1].removesuffix(TRANSPOSED), "", node.output[0]
            add = adds.get(output)
            if add is not None and readers[output] == 1 and (others := vectors.intersection(add.input)):
                (bias,), output = others, add.output[0]
                done.add(output)
            inputs = [node.input[0], key + INTEGERS, key + SCALES, "", bias]
            nodes.append(onnx.helper.make_node("DynamicQuantizeMatMul", inputs, [output], node.name, domain=_FUSED))
        elif node.output[0] not in done:
            nodes.append(node)
    _replace(graph.node, nodes)
    if not any(opset.domain == _FUSED for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(_FUSED, 1))


def _as_external(model: Any, weights: Mapping[str, NDArray[Any]]) -> None:
    """Make weights, inputs until now, initializers that lie outside the file, in the form that the nodes take."""
    onnx = require_onnx()
    graph = model.graph
    forms = dict(weights)
    for name, value in weights.items():
        if name.endswith(TRANSPOSED):
            key = name.removesuffix(TRANSPOSED)
            forms[key + INTEGERS] = np.empty(value.shape, np.int8)
            forms[key + SCALES] = np.empty(value.shape[1:], np.float32)
    _replace(graph.input, [entry for entry in graph.input if entry.name not in weights])
    for name in sorted({name for node in graph.node for name in node.input} & forms.keys()):
        kind = onnx.helper.np_dtype_to_tensor_dtype(forms[name].dtype)
        tensor = graph.initializer.add(name=name, data_type=kind, dims=forms[name].shape)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights")


def _typed(name: str, value: NDArray[Any]) -> Any:
    onnx = require_onnx()
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def _replace(field: Any, content: Sequence[Any]) -> None:
    """Give a repeated field of a protocol buffer another content, which may be some of its own."""
    copies = [type(entry).FromString(entry.SerializeToString()) for entry in content]
    del field[:]
    field.extend(copies)
