"""Loads the voice that a reference names, for torch or ONNX Runtime."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from voxgrad.errors import BadInputError
from voxgrad.events import Emit, ignore
from voxgrad.onnx.runtime import KIND, find_graph, has_runtime, settings_of
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec, OnnxSpec, SynthesisSpec
from voxgrad.store import Artifact, Store
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.vocoder.choice import choose_vocoder, mel_of
from voxgrad.voice.engine import (
    Engine,
    OnnxEngine,
    require_settings,
    require_suited,
    resolve_graph_defaults,
    unsuited,
)
from voxgrad.voice.voice import Voice

EngineName = Literal["auto", "torch", "onnx"]
QUANTIZE: Final = "int8"
"""Of the graphs that `say` makes for itself."""
_SPEAKERS: Final = ("voice", "base", KIND)


def split_speaker(ref: str | None) -> tuple[str | None, str | None]:
    """The voice and the speaker that ``english:kathleen`` names; without a colon, the speaker is None."""
    voice, colon, speaker = (ref or "").rpartition(":")
    return (voice, speaker) if colon and not voice.endswith("@sha256") else (ref, None)


def find_voice(store: Store, ref: str | None) -> Artifact:
    """The voice, base or graph that is named; else the newest voice, and a base or graph only where there is none.

    Raises:
        BadInputError: there is no such voice or base.
    """
    artifact = store.find_of(split_speaker(ref)[0], _SPEAKERS)
    if artifact.kind not in _SPEAKERS:
        raise BadInputError(f"{ref} is a {artifact.kind} and cannot speak", "Give a voice or a base.")
    return artifact


def find_vocoder(store: Store, ref: str | None, voice: Artifact, emit: Emit) -> Artifact | None:
    """The vocoder that speaks what a voice says; None for Griffin-Lim, and for a graph, which holds its own.

    Raises:
        BadInputError: there is no vocoder ``ref``, or one was given for a graph.
    """
    if voice.kind != KIND:
        return choose_vocoder(store, ref, mel_of(voice), emit)
    if ref is not None:
        raise BadInputError(f"{voice} is an ONNX graph with its own vocoder", "Leave out --vocoder.")
    return None


def find_lexicon(store: Store, voice: Artifact, given: Path | None = None) -> Lexicon:
    """All pronunciations: those that are given before those that the voice brings, and these before the store's."""
    carried = voice.path(LEXICON) if any(file.path == LEXICON for file in voice.manifest.files) else None
    return Lexicon.gather(store.home, carried, given)


def load_voice(
    store: Store,
    ref: str | Artifact | None,
    vocoder: str | None = None,
    lexicon: Path | None = None,
    emit: Emit = ignore,
    *,
    engine: EngineName = "auto",
    synthesis: SynthesisSpec = SynthesisSpec(),  # noqa: B008 - frozen
) -> Voice:
    """Find a voice with its vocoder; its weights are read when it first speaks.

    Args:
        store: where they are.
        ref: a reference to a voice, a base or a graph, with ``:NAME`` one of its speakers; or what `find_voice` found;
            None means the newest.
        vocoder: a reference, or ``griffinlim``; None means the newest that fits.
        lexicon: pronunciations, which go before those of the voice, and these before the store's.
        emit: called with progress events, and with a remark where no vocoder fits.
        engine: what computes. ``auto`` means ONNX Runtime where the graph was made before, else torch; with ``onnx``, a
            graph is made where there is none yet.
        synthesis: settings that it shall speak with.

    Raises:
        BadInputError: something is not there, or does not fit.
        IntegrityError: something is damaged.
    """
    artifact, speaker = (ref, None) if isinstance(ref, Artifact) else (find_voice(store, ref), split_speaker(ref)[1])
    if speaker is not None and synthesis.speaker not in {None, speaker}:
        raise BadInputError("--voice and --speaker both name a speaker", "Leave out one of them.")
    sound = find_vocoder(store, vocoder, artifact, emit)
    words = find_lexicon(store, artifact, lexicon)
    voice = open_voice(artifact, sound, words, _choose_graph(store, engine, artifact, sound, synthesis, emit))
    if speaker is not None:
        voice.spec.row_of(speaker)
    return voice.of_speaker(speaker)


def open_voice(
    voice: Artifact,
    vocoder: Artifact | None,
    lexicon: Lexicon,
    graph: Artifact | None = None,
    threads: int | None = None,
) -> Voice:
    """A voice that speaks through a graph, with so many threads; or through torch, where that is None."""

    @cache
    def open_engine() -> Engine:
        if graph is not None:
            return OnnxEngine.load(graph, threads)
        from voxgrad.voice.torch_engine import TorchEngine  # noqa: PLC0415 - it needs torch

        return TorchEngine.load(voice, vocoder)

    if graph is None:
        require_torch()
    return Voice(voice, vocoder, lexicon, open_engine, graph)


def _choose_graph(
    store: Store,
    engine: EngineName,
    voice: Artifact,
    vocoder: Artifact | None,
    synthesis: SynthesisSpec,
    emit: Emit,
) -> Artifact | None:
    """The graph that ONNX Runtime shall compute; None: torch computes.

    Raises:
        BadInputError: the engine cannot do what is asked.
    """
    if voice.kind == KIND:
        if engine == "torch":
            raise BadInputError(f"{voice} is an ONNX graph, which torch cannot use", "Leave out --engine torch.")
        exported = settings_of(voice)[1]
        require_settings(exported, resolve_graph_defaults(exported, synthesis))
        return voice
    acoustic = validated(AcousticSpec, voice.manifest.settings.get("acoustic", {}), voice.ref)
    if engine == "torch" or (engine == "auto" and (unsuited(synthesis) or vocoder is None or not has_runtime())):
        return None
    require_suited(synthesis)
    steps = synthesis.resolve_defaults(acoustic.model).steps
    # validated again, for a sampler that no graph has was refused above
    spec = OnnxSpec.model_validate({"sampler": synthesis.sampler, "steps": steps, "quantize": QUANTIZE})
    graph = None if vocoder is None else find_graph(store, voice, vocoder, spec)
    if graph is None and engine == "onnx":
        require_torch()
        from voxgrad.onnx.export import graph_of  # noqa: PLC0415 - it needs torch

        graph = graph_of(store, voice, vocoder, spec, emit)
    return graph


def require_torch() -> None:
    """Check that torch is installed.

    Raises:
        BadInputError: this is the small install.
    """
    if find_spec("torch") is None:
        raise BadInputError(
            "this needs torch, which is not installed",
            "Install all of it: pip install voxgrad, not voxgrad-say.",
        )
