"""Graphs in the store: what identifies one, and how one is found. Needs no torch."""

from typing import Any, Final

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec, OnnxSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import Parent, fingerprint
from voxgrad.store.store import Store

KIND: Final = "onnx"
MODEL: Final = "model.onnx"
VERSION: Final = 4
"""Raised whenever the same voice would give another graph."""


def graph_key(voice: Artifact, vocoder: Artifact, spec: OnnxSpec) -> str:
    """The fingerprint of the graph of a voice and a vocoder."""
    return fingerprint("onnx", VERSION, {"onnx": spec.model_dump()}, graph_parents(voice, vocoder), {})


def graph_parents(voice: Artifact, vocoder: Artifact) -> dict[str, Parent]:
    """What a graph is made from, by role."""
    return {"voice": voice.as_parent(), "vocoder": vocoder.as_parent()}


def find_graph(store: Store, voice: Artifact, vocoder: Artifact, spec: OnnxSpec) -> Artifact | None:
    """The graph that was made before; None if there is none."""
    return store.matching(KIND, graph_key(voice, vocoder, spec))


def settings_of(graph: Artifact) -> tuple[AcousticSpec, OnnxSpec]:
    """What a graph's voice carries, and how it was exported.

    Raises:
        IntegrityError: its manifest does not say.
    """
    settings: dict[str, Any] = graph.manifest.settings
    try:
        return (
            validated(AcousticSpec, settings["acoustic"], graph.ref),
            validated(OnnxSpec, settings["onnx"], graph.ref),
        )
    except (BadInputError, KeyError, TypeError) as error:
        raise IntegrityError(f"the manifest of {graph} holds no graph", "Export it again.") from error
