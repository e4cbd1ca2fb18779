"""What computes: torch, or ONNX Runtime with a graph of the voice. Neither is imported before it is chosen."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Literal

from voxgrad.errors import BadInputError
from voxgrad.events import Emit
from voxgrad.onnx.runtime import KIND, find_graph, has_runtime, settings_of
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec, OnnxSpec, SynthesisSpec
from voxgrad.speech.onnx_speaker import OnnxSpeaker, require_settings, resolve_graph_defaults, unsuited
from voxgrad.speech.speaker import Speaker
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.text.lexicon import Lexicon

Engine = Literal["auto", "torch", "onnx"]
QUANTIZE: Final = "int8"
"""Of the graphs that `say` makes for itself."""


@dataclass(frozen=True)
class Chosen:
    """What speaks, and how.

    Attributes:
        graph: None: torch computes.
        synthesis: the settings, with what a graph alone decides.
    """

    graph: Artifact | None
    synthesis: SynthesisSpec


def choose_engine(
    store: Store,
    engine: Engine,
    voice: Artifact,
    vocoder: Artifact | None,
    synthesis: SynthesisSpec,
    emit: Emit,
) -> Chosen:
    """Decide what computes; with ``onnx``, a graph is made where there is none yet.

    Args:
        store: where graphs are.
        engine: ``auto`` means ONNX Runtime where the graph was made before, else torch.
        voice: a voice, a base or a graph.
        vocoder: None for Griffin-Lim.
        synthesis: steps, temperature, speed.
        emit: called with progress events.

    Raises:
        BadInputError: the engine cannot do what is asked.
    """
    if voice.kind == KIND:
        if engine == "torch":
            raise BadInputError(
                f"{voice} is an ONNX graph, which torch does not read", "Leave out --engine torch."
            )
        spec = settings_of(voice)[1]
        synthesis = resolve_graph_defaults(spec, synthesis)
        require_settings(spec, synthesis)
        return Chosen(voice, synthesis)
    acoustic = validated(AcousticSpec, voice.manifest.settings.get("acoustic", {}), voice.ref)
    synthesis = synthesis.resolve_defaults(acoustic.model)
    reason = unsuited(synthesis)
    if engine == "torch" or (engine == "auto" and (reason or vocoder is None or not has_runtime())):
        require_torch()
        return Chosen(None, synthesis)
    if reason:
        raise BadInputError(
            f"an ONNX graph cannot speak with {reason}", "Leave it out, or give --engine torch."
        )
    # validated again, for a sampler that no graph has was refused above
    spec = OnnxSpec.model_validate(
        {"sampler": synthesis.sampler, "steps": synthesis.steps, "quantize": QUANTIZE}
    )
    graph = None if vocoder is None else find_graph(store, voice, vocoder, spec)
    if graph is None and engine == "onnx":
        require_torch()
        from voxgrad.onnx.derive import graph_of  # noqa: PLC0415 - it needs torch

        graph = graph_of(store, voice, vocoder, spec, emit)
    if graph is None:
        require_torch()
    return Chosen(graph, synthesis)


def open_speaker(
    voice: Artifact,
    vocoder: Artifact | None,
    lexicon: Lexicon,
    graph: Artifact | None,
    threads: int | None = None,
) -> Speaker:
    """Load what `choose_engine` chose.

    Raises:
        BadInputError: voice and vocoder do not fit.
        IntegrityError: something is damaged.
    """
    if graph is not None:
        return OnnxSpeaker.load(graph, voice, vocoder, lexicon, threads)
    from voxgrad.speech.synthesizer import Synthesizer  # noqa: PLC0415 - it needs torch

    return Synthesizer.load(voice, vocoder, lexicon)


def require_torch() -> None:
    """See that torch is there.

    Raises:
        BadInputError: this is the small install.
    """
    if find_spec("torch") is None:
        raise BadInputError(
            "this needs torch, which is not installed",
            "Install all of it: pip install voxgrad, not voxgrad-say.",
        )
