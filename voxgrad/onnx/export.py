"""Exports a voice with its vocoder as one graph: traced, with metadata, checked against torch."""

import logging
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.onnx import symbolic_helper
from torch.onnx.utils import register_custom_op_symbolic

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.errors import BadInputError
from voxgrad.events import Began, Emit, Ended, ignore, tracked
from voxgrad.onnx.file import (
    DIGEST,
    INPUTS,
    OUTPUTS,
    SPEAKER_INPUT,
    GraphDescription,
    digest,
    quantized,
    simplified,
)
from voxgrad.onnx.graph import SherpaGraph, SpeechGraph, VocoderGraph
from voxgrad.onnx.runtime import OnnxGraph, require_onnx
from voxgrad.settings import OnnxSpec, SynthesisSpec, TextSpec
from voxgrad.settings.model import either
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import Identified
from voxgrad.text.ipa import IPA_IDS, NEAREST
from voxgrad.text.languages import blank_of
from voxgrad.text.symbols import BLANK, ENGLISH, PHONE_IDS
from voxgrad.text.tokens import encode
from voxgrad.vocoder.registry import Vocoder, load_vocoder
from voxgrad.weights import InLanguage, name_in

_TASK, _COMPARISON = "export", "compare with torch"
TOLERANCE = 1e-3
"""Between torch and an unquantised graph: of the largest difference of a log-mel, and of full scale for the root mean
square of the audio's. Not of single samples: a pulse between two samples moves with the last digit of the pitch, so
that a mel changed by 1e-7 of itself changes samples of torch's own audio by up to 2e-3."""
SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.",
    "The hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
    "A rod is used to catch pink salmon.",
    "The source of the huge river is the clear spring.",
    "Kick the ball straight and follow through.",
    "Help the woman get back to her feet.",
    "A pot of tea helps to pass the evening.",
    "Smoky fires lack flame and heat.",
    "The soft cushion broke the man's fall.",
    "The salt breeze came across from the sea.",
    "Hello!",
)
"""On which graphs are checked; all but the last are of the Harvard sentences (IEEE, 1969)."""
OPSET = 20
"""The first with `Gelu`."""
_VOCODERS: Final[dict[str, Callable[[Any], nn.Module]]] = {
    "source_filter": VocoderGraph,
    "hifigan": lambda vocoder: vocoder.network,
}
"""What speaks in a graph, by kind of vocoder."""
_FLOAT, _LONG, _DOUBLE = 1, 7, 11
_FILE = "model.onnx"


def loaded(voice: Artifact, vocoder: Artifact | None, language: InLanguage | None) -> tuple[AcousticModel, Vocoder]:
    """Load voice and vocoder, if they can be exported, to speak English or another language.

    Raises:
        BadInputError: they cannot, or do not fit.
    """
    acoustic = load_acoustic_model(voice, language)
    text = acoustic.spec.text.model_copy(update={"language": ENGLISH if language is None else language[1]})
    acoustic = replace(acoustic, spec=acoustic.spec.model_copy(update={"text": text}))
    sound = load_vocoder(vocoder, acoustic.spec.mel, str(voice))
    require_exportable(acoustic, sound, "vocoder Griffin-Lim" if vocoder is None else str(vocoder))
    return acoustic, sound


def describe(
    voice: Artifact, vocoder: Artifact, language: InLanguage | None, acoustic: AcousticModel, spec: OnnxSpec
) -> GraphDescription:
    """The description that a graph carries in its metadata."""
    lineage: dict[str, Identified] = {"voice": voice, "vocoder": vocoder, **voice.manifest.parents}
    if language is not None:
        lineage["language"] = language[0]
    return GraphDescription(
        acoustic=acoustic.spec,
        spec=spec,
        name=name_in(voice, acoustic.spec.text.language),
        kind=voice.kind,
        lineage={role: {"ref": parent.ref, "digest": parent.digest} for role, parent in lineage.items()},
        consent=voice.manifest.consent,
        licence=voice.manifest.licence,
        pitch=mean_pitches(acoustic),
    )


def mean_pitches(acoustic: AcousticModel) -> tuple[float, ...]:
    """Hz of every speaker, by row."""
    prior = acoustic.model.frame_prior
    if prior is None:
        raise ValueError("a model that predicts no pitch is refused before")
    return tuple(round(value, 3) for value in prior.pitch_statistics[:, 0].exp().tolist())


def require_exportable(acoustic: AcousticModel, vocoder: Vocoder, named: str) -> None:
    """Check that a voice can be exported.

    Raises:
        BadInputError: it cannot; the message says why.
    """
    if vocoder.name not in _VOCODERS:
        message = (
            f"the {named} estimates phases in many iterations of complex Fourier transforms, "
            "which would be slower in an unrolled graph than in torch"
        )
        raise BadInputError(message, f"Choose a feed-forward vocoder ({either(list(_VOCODERS))}) with --vocoder.")
    if acoustic.spec.model.decoder != "convnext":
        raise BadInputError(
            "this voice has the official U-Net as its score network, which cannot be exported",
            "Use it with --engine torch, or fine-tune a voice from the base `english`.",
        )


def speech_graph(acoustic: AcousticModel, vocoder: Vocoder, spec: OnnxSpec) -> SpeechGraph:
    """The network that is exported; see `require_exportable`."""
    settings = SynthesisSpec(sampler=spec.sampler, steps=spec.steps, precision="float32")
    return SpeechGraph(acoustic, vocoder_graph(vocoder), settings).eval()


def vocoder_graph(vocoder: Vocoder) -> nn.Module:
    """What speaks in a graph, (1, n_mels, frames) → samples."""
    return _VOCODERS[vocoder.name](vocoder)


def checked(
    description: GraphDescription, acoustic: AcousticModel, vocoder: Vocoder, emit: Emit
) -> tuple[bytes, "Agreement"]:
    """The content of an ONNX file of what `loaded` loaded, compared with torch.

    Raises:
        BadInputError: the extra ``onnx`` is not installed, or see `agreement`.
    """
    require_onnx()
    spec = description.spec
    emit(Began(_TASK, None, ""))
    content = exported(speech_graph(acoustic, vocoder, spec), spec, description)
    emit(Ended(_TASK))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / _FILE
        path.write_bytes(content)
        return content, agreement(acoustic, vocoder, spec, path, emit)


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
    plain = traced(graph, tuple(example), names, list(OUTPUTS), dynamic)
    model = quantized(simplified(plain), spec.quantize)
    metadata = {**description.metadata(), "sample_rate": str(graph.spec.mel.sample_rate)}
    return with_metadata(model, metadata)


def exported_for_sherpa(graph: SpeechGraph, spec: OnnxSpec, description: GraphDescription, row: int) -> bytes:
    """The content of an ONNX file with the inputs that sherpa-onnx gives a VITS model; ``row`` is the speaker's."""
    outer = SherpaGraph(graph, row).eval()
    names = ["x", "x_length", "noise_scale", "length_scale", "noise_scale_w"]
    example = (torch.arange(2, 43)[None], torch.tensor([41]), torch.full((1,), 0.5), torch.ones(1), torch.ones(1))
    model = quantized(
        simplified(traced(outer, example, names, ["y"], {"x": {1: "tokens"}, "y": {1: "samples"}})), spec.quantize
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
    """A model with metadata, including the digest of everything else."""
    del model.metadata_props[:]
    marked = {**metadata, DIGEST: digest(model.SerializeToString(deterministic=True))}
    for key, value in marked.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def traced(
    graph: nn.Module,
    example: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
    *,
    fold: bool = True,
) -> Any:
    """A network as a ``ModelProto``; without ``fold``, weights are as they are and under their names."""
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
                do_constant_folding=fold,
                keep_initializers_as_inputs=not fold,
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


@dataclass(frozen=True)
class Agreement:
    """The differences between a graph and torch over `SENTENCES`.

    What is of audio and mel is of the sentences with the same durations, and None where rounded weights left none.
    """

    same_durations: float
    """Share of the sentences with the same durations."""
    mel_largest: float | None = None
    """Difference of the log-mel."""
    mel_mean: float | None = None
    audio_rms: float | None = None
    """Root mean square of the audio's difference, of the worst sentence."""
    sample_largest: float | None = None

    def rounded(self) -> dict[str, float | None]:
        """For a manifest."""
        return {name: None if value is None else round(value, 6) for name, value in asdict(self).items()}


def agreement(acoustic: AcousticModel, vocoder: Vocoder, spec: OnnxSpec, path: Path, emit: Emit = ignore) -> Agreement:
    """Compare a graph with torch on `SENTENCES`, reporting progress.

    Raises:
        BadInputError: an unquantised graph differs by more than `TOLERANCE`.
    """
    runtime = OnnxGraph.load(path, acoustic.spec, spec)
    synthesis = SynthesisSpec(sampler=spec.sampler, steps=spec.steps, precision="float32")
    differences: list[tuple[float, ...]] = []
    for seed, sentence in enumerate(tracked(SENTENCES, _COMPARISON, "sentences", emit)):
        tokens = _tokens(sentence, acoustic.spec.text)
        samples, mel, durations = _by_torch(acoustic, vocoder, tokens, synthesis, seed)
        said = runtime.speak(tokens, synthesis, seed)
        if said.durations == durations:
            sound, shape = np.abs(said.samples - samples), np.abs(said.mel - mel)
            differences.append((shape.max(), shape.mean(), np.sqrt(np.square(sound).mean()), sound.max()))
    if not differences:
        result = Agreement(0.0)
    else:
        worst = np.array(differences).max(0).tolist()
        mean = float(np.mean([pair[1] for pair in differences]))
        result = Agreement(len(differences) / len(SENTENCES), worst[0], mean, worst[2], worst[3])
    if spec.quantize == "none":
        _require_agreement(result)
    return result


def _tokens(sentence: str, text: TextSpec) -> tuple[int, ...]:
    """A sentence of English; for another language, with its blank and the nearest phones in IPA.

    Voices are exported where espeak-ng, which reads that language, is not installed.
    """
    tokens = encode(sentence, text.model_copy(update={"language": ENGLISH})).tokens
    if text.language == ENGLISH:
        return tokens
    ids = {PHONE_IDS[near]: IPA_IDS[phone] for phone, near in reversed(NEAREST.items())}
    ids[BLANK] = blank_of(text.language)
    return tuple(ids.get(token, token) for token in tokens)


def _require_agreement(compared: Agreement) -> None:
    apart = max(compared.mel_largest or 0.0, compared.audio_rms or 0.0)
    if compared.same_durations < 1:
        message = (
            f"{1 - compared.same_durations:.0%} of the sentences have different durations in the graph and in torch"
        )
    elif apart > TOLERANCE:
        message = f"the graph differs from torch by {apart:.2g}; the limit is {TOLERANCE:g}"
    else:
        return
    raise BadInputError(message, "Please report this: it is a bug in the export or in ONNX Runtime.")


def _by_torch(
    acoustic: AcousticModel, vocoder: Vocoder, tokens: tuple[int, ...], synthesis: SynthesisSpec, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[int, ...]]:
    ids = torch.tensor([tokens])
    spoken = acoustic.model.synthesize(
        ids,
        torch.tensor([ids.shape[1]]),
        synthesis,
        torch.Generator().manual_seed(seed),
        torch.tensor([acoustic.row]),
        acoustic.spec.duration_scale,
    )
    mel = spoken.mel.clamp(*acoustic.spec.mel.range)
    return vocoder(mel)[0].numpy(), mel[0].numpy(), tuple(spoken.durations[0].tolist())
