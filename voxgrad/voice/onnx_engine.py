"""A voice that speaks through ONNX Runtime, without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxgrad.errors import BadInputError
from voxgrad.onnx.runtime import MODEL, NetworkOutput, OnnxGraph, settings_of
from voxgrad.samplers import DETERMINISTIC
from voxgrad.settings import AcousticSpec, ModelSpec, OnnxSpec, SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.voice.engine import LocalEngine, TokenChanges

_FREE: Final = {
    *("sampler", "quality", "steps", "temperature", "speaker", "speed"),
    *("precision", "question_rise", "postfilter"),
}
"""Settings that a graph takes as an input, or that it was exported with."""


@dataclass(frozen=True, eq=False)
class OnnxEngine(LocalEngine):
    """A graph, loaded."""

    graph: OnnxGraph
    """Its session."""
    pitch: Sequence[float]
    """Mean pitch of every speaker, in Hz."""

    @classmethod
    def load(cls, graph: Artifact, threads: int | None = None) -> "OnnxEngine":
        """Load a graph, its digest verified, to compute with so many threads, or as many as torch would.

        Raises:
            BadInputError: ONNX Runtime is not installed.
            IntegrityError: the graph is damaged.
        """
        loaded = OnnxGraph.load(graph.path(MODEL), *settings_of(graph), threads)
        return cls(loaded, graph.manifest.settings["pitch"])

    @property
    def spec(self) -> AcousticSpec:
        """See `LocalEngine`."""
        return self.graph.acoustic

    @property
    def threads(self) -> int:
        """See `Engine`."""
        return self.graph.threads

    @property
    def tools(self) -> dict[str, str]:
        """See `Engine`."""
        return {"onnxruntime": self.graph.version}

    def run(
        self, tokens: Sequence[int], synthesis: SynthesisSpec, seed: int, prosody: TokenChanges | None
    ) -> NetworkOutput:
        """See `LocalEngine`."""
        require_settings(self.graph.spec, synthesis)
        changes = () if prosody is None else (prosody.rate, prosody.semitones, prosody.rise)
        return self.graph.speak(tokens, synthesis, seed, self.spec.row_of(synthesis.speaker), *changes)

    def mean_pitch(self, row: int) -> float | None:
        """See `LocalEngine`."""
        return float(self.pitch[row])


def unsuited(synthesis: SynthesisSpec) -> str | None:
    """Why no graph speaks with these settings; None where one can."""
    usual = SynthesisSpec()
    for name in SynthesisSpec.model_fields:
        if name not in _FREE and getattr(synthesis, name) != getattr(usual, name):
            return f"{name}={getattr(synthesis, name)}"
    if synthesis.postfilter not in {None, ModelSpec(decoder="convnext").postfilter}:
        return f"postfilter={synthesis.postfilter}"
    if synthesis.sampler not in DETERMINISTIC:
        return f"the sampler {synthesis.sampler}, which draws noise at every step"
    return "precision=bfloat16" if synthesis.precision == "bfloat16" else None


def require_suited(synthesis: SynthesisSpec) -> None:
    """See that a graph can speak with these settings.

    Raises:
        BadInputError: none can.
    """
    if (reason := unsuited(synthesis)) is not None:
        raise BadInputError(f"an ONNX graph cannot speak with {reason}", "Remove it, or use --engine torch.")


def resolve_graph_defaults(spec: OnnxSpec, synthesis: SynthesisSpec) -> SynthesisSpec:
    """Settings with a graph's sampler and steps where none were given."""
    update: dict[str, Any] = {}
    if synthesis.steps is None and synthesis.quality == "default":
        update["steps"] = spec.steps
    if "sampler" not in synthesis.model_fields_set:
        update["sampler"] = spec.sampler
    return synthesis.model_copy(update=update)


def require_settings(spec: OnnxSpec, synthesis: SynthesisSpec) -> None:
    """See that a graph was exported with what is asked for.

    Raises:
        BadInputError: it was not.
    """
    require_suited(synthesis)
    if (spec.sampler, spec.steps) != (synthesis.sampler, synthesis.steps):
        raise BadInputError(
            f"the graph has {spec.steps} steps of {spec.sampler}",
            "Leave --steps, --draft, --best and --sampler out, or export it with others.",
        )
