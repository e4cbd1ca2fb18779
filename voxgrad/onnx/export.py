"""A voice and its vocoder → an ONNX file: traced, simplified, quantised, with metadata."""

import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.onnx import symbolic_helper
from torch.onnx.utils import register_custom_op_symbolic

from voxgrad.acoustic_model import AcousticModel
from voxgrad.errors import BadInputError
from voxgrad.onnx.file import DIGEST, INPUTS, OUTPUTS, SPEAKER_INPUT, GraphDescription, digest
from voxgrad.onnx.graph import SherpaGraph, SpeechGraph, VocoderGraph
from voxgrad.onnx.runtime import require_onnx
from voxgrad.settings import OnnxSpec, SynthesisSpec
from voxgrad.settings.model import either
from voxgrad.settings.synthesis import Quantize
from voxgrad.text.tokens import BLANK
from voxgrad.vocoder.registry import Vocoder

OPSET = 20
"""The first with `Gelu`."""
_VOCODERS: Final[dict[str, Callable[[Any], nn.Module]]] = {
    "source_filter": VocoderGraph,
    "hifigan": lambda vocoder: vocoder.network,
}
"""What speaks in a graph, by kind of vocoder."""
_FLOAT, _LONG, _DOUBLE = 1, 7, 11
_FILE = "model.onnx"


def require_exportable(acoustic: AcousticModel, vocoder: Vocoder, named: str) -> None:
    """See that a voice can become a graph.

    Raises:
        BadInputError: it cannot; the message says why.
    """
    if vocoder.name not in _VOCODERS:
        message = (
            f"the {named} looks for phases in many iterations of Fourier transforms of complex numbers, "
            "which unrolled would be slower than in torch"
        )
        raise BadInputError(message, f"Choose a feed-forward vocoder ({either(list(_VOCODERS))}) with --vocoder.")
    if acoustic.spec.model.decoder != "convnext":
        raise BadInputError(
            "this voice has the official U-Net as its score network, which cannot be exported",
            "Speak it with --engine torch, or fine-tune one from the base `english`.",
        )


def speech_graph(acoustic: AcousticModel, vocoder: Vocoder, spec: OnnxSpec) -> SpeechGraph:
    """The network that is exported; see `require_exportable`."""
    settings = SynthesisSpec(sampler=spec.sampler, steps=spec.steps, precision="float32")
    return SpeechGraph(acoustic, _VOCODERS[vocoder.name](vocoder), settings).eval()


def exported(graph: SpeechGraph, spec: OnnxSpec, description: GraphDescription) -> bytes:
    """The content of an ONNX file.

    Raises:
        BadInputError: the extra ``onnx`` is not installed.
    """
    several = graph.spec.model.n_spks > 1
    names = [*INPUTS, *(SPEAKER_INPUT if several else {})]
    tokens = torch.arange(1, 42)[None] % BLANK
    example = [tokens, torch.tensor([41]), torch.ones(1), torch.zeros(1)]
    example += [torch.full((1,), 0.5), torch.randn(32000), torch.zeros(1)]
    example += [torch.zeros(1, dtype=torch.long)] if several else []
    dynamic = {
        "tokens": {1: "tokens"},
        "speed": {0: "speeds"},
        "pitch": {0: "pitches"},
        "rise": {0: "rises"},
        "noise": {0: "numbers"},
        "audio": {1: "samples"},
        "durations": {1: "tokens"},
        "mel": {2: "frames"},
    }
    plain = _traced(graph, tuple(example), names, list(OUTPUTS), dynamic)
    model = quantized(simplified(plain), spec.quantize)
    metadata = {**description.metadata(), "sample_rate": str(graph.spec.mel.sample_rate)}
    return with_metadata(model, metadata)


def exported_for_sherpa(graph: SpeechGraph, spec: OnnxSpec, description: GraphDescription, row: int) -> bytes:
    """The content of an ONNX file with the inputs that sherpa-onnx gives a VITS model.

    Args:
        graph: of `speech_graph`.
        spec: how it is quantised.
        description: for the metadata.
        row: of the speaker.
    """
    outer = SherpaGraph(graph, row).eval()
    names = ["x", "x_length", "noise_scale", "length_scale", "noise_scale_w"]
    example = (torch.arange(2, 43)[None], torch.tensor([41]), torch.full((1,), 0.5), torch.ones(1), torch.ones(1))
    model = quantized(
        simplified(_traced(outer, example, names, ["y"], {"x": {1: "tokens"}, "y": {1: "samples"}})), spec.quantize
    )
    metadata = {
        **description.metadata(),
        "model_type": "vits",
        "comment": "voxgrad",
        "language": "English",
        "sample_rate": str(graph.spec.mel.sample_rate),
        "n_speakers": "1",
        "add_blank": "0",
        "punctuation": "; : , . ! ? - ( )",
    }
    return with_metadata(model, metadata)


def with_metadata(model: Any, metadata: dict[str, str]) -> bytes:
    """A model with metadata, and with the digest of all but that."""
    del model.metadata_props[:]
    marked = {**metadata, DIGEST: digest(model.SerializeToString(deterministic=True))}
    for key, value in marked.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _traced(
    graph: nn.Module,
    example: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
) -> Any:
    onnx = require_onnx()
    # The tracing exporter: the other one cannot export lengths that depend on values, such as those of durations.
    register_custom_op_symbolic("aten::searchsorted", _searchsorted, OPSET)
    register_custom_op_symbolic("aten::expm1", _expm1, OPSET)
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of values that become constants; the agreement is checked
            torch.onnx.export(
                graph,
                example,
                Path(scratch) / _FILE,
                input_names=inputs,
                output_names=outputs,
                dynamic_axes=dynamic,
                opset_version=OPSET,
                dynamo=False,
            )
            return onnx.load(Path(scratch) / _FILE)
    finally:
        quiet.setLevel(level)


def _searchsorted(
    g: Any, borders: Any, values: Any, out_int32: Any, right: Any, side: Any = None, sorter: Any = None
) -> Any:
    """How many borders are not above every value, as ``right=True`` has it: (1, n), (1, m) → (1, m)."""
    del out_int32, right, side, sorter
    before = g.op(
        "LessOrEqual",
        symbolic_helper._unsqueeze_helper(g, borders, [1]),  # noqa: SLF001 - as the exporter's own operators do
        symbolic_helper._unsqueeze_helper(g, values, [2]),  # noqa: SLF001
    )
    return symbolic_helper._reducesum_helper(  # noqa: SLF001
        g, g.op("Cast", before, to_i=_LONG), axes_i=[2], keepdims_i=0
    )


def _expm1(g: Any, x: Any) -> Any:
    """In float64, where nothing is lost by the subtraction."""
    one = g.op("Constant", value_t=torch.tensor(1.0, dtype=torch.float64))
    return g.op("Cast", g.op("Sub", g.op("Exp", g.op("Cast", x, to_i=_DOUBLE)), one), to_i=_FLOAT)


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
