"""A voice that speaks through ONNX Runtime, without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxgrad.errors import BadInputError
from voxgrad.onnx.runtime import MODEL, OnnxGraph, settings_of
from voxgrad.samplers import DETERMINISTIC
from voxgrad.settings import AcousticSpec, ModelSpec, OnnxSpec, SynthesisSpec
from voxgrad.speech.local_speaker import LocalSpeaker
from voxgrad.speech.prosody import TokenChanges
from voxgrad.speech.provenance import Source
from voxgrad.speech.results import Utterance
from voxgrad.store.artifact import Artifact
from voxgrad.text.lexicon import Lexicon

_FREE = {
    "sampler",
    "quality",
    "steps",
    "temperature",
    "speaker",
    "speed",
    "precision",
    "question_rise",
    "postfilter",
}
"""Settings that a graph takes as an input, or that it was exported with."""


@dataclass(frozen=True, eq=False)
class OnnxSpeaker(LocalSpeaker):
    """A graph, loaded.

    Attributes:
        graph: its artifact.
        loaded: its session.
    """

    graph: Artifact
    loaded: OnnxGraph

    @classmethod
    def load(
        cls,
        graph: Artifact,
        voice: Artifact,
        vocoder: Artifact | None,
        lexicon: Lexicon,
        threads: int | None = None,
    ) -> "OnnxSpeaker":
        """Load a graph, its digest verified.

        Args:
            graph: its artifact.
            voice: the voice that it was made from, or ``graph`` itself where only that is here.
            vocoder: that is in it; None where only the graph is here.
            lexicon: the user's pronunciations.
            threads: to compute with; None: as many as torch would.

        Raises:
            BadInputError: ONNX Runtime is not installed.
            IntegrityError: the graph is damaged.
        """
        acoustic, spec = settings_of(graph)
        return cls(voice, vocoder, lexicon, graph, OnnxGraph.load(graph.path(MODEL), acoustic, spec, threads))

    @property
    def spec(self) -> AcousticSpec:
        """What the voice carries."""
        return self.loaded.acoustic

    @property
    def threads(self) -> int:
        """Of the processor."""
        return self.loaded.threads

    @property
    def tools(self) -> dict[str, str]:
        """Versions of what computes."""
        return {"onnxruntime": self.loaded.version}

    def resolve_defaults(self, synthesis: SynthesisSpec) -> SynthesisSpec:
        """The settings with the graph's sampler and steps where none were given."""
        return resolve_graph_defaults(self.loaded.spec, synthesis)

    @property
    def sources(self) -> tuple[Source, Source | None]:
        """The voice and the vocoder that the graph was made from, as recipes name them."""
        manifest = self.graph.manifest
        voice, vocoder = manifest.parents["voice"], manifest.parents["vocoder"]
        return (
            Source(kind=str(manifest.settings["kind"]), ref=voice.ref, digest=voice.digest),
            Source(kind="vocoder", ref=vocoder.ref, digest=vocoder.digest),
        )

    @property
    def made_by(self) -> dict[str, Any]:
        """What a recipe says of the engine."""
        return {"engine": "onnx", "quantize": self.loaded.spec.quantize}

    def utter(
        self,
        tokens: Sequence[int],
        synthesis: SynthesisSpec,
        seed: int,
        prosody: TokenChanges | None = None,
    ) -> Utterance:
        """Say one utterance; see `LocalSpeaker.utter`."""
        require_settings(self.loaded.spec, synthesis)
        row = self.row_of(synthesis.speaker)
        changes = () if prosody is None else (prosody.rate, prosody.semitones, prosody.rise)
        said = self.loaded.speak(tokens, synthesis, seed, row, *changes)
        return Utterance(said.samples, said.mel, said.durations)

    def mean_pitch(self, row: int) -> float | None:
        """Of a speaker, in Hz."""
        return float(self.graph.manifest.settings["pitch"][row])


def unsuited(synthesis: SynthesisSpec) -> str | None:
    """Why no graph speaks with these settings; None where one can."""
    usual = SynthesisSpec()
    for name in SynthesisSpec.model_fields:
        if name not in _FREE and getattr(synthesis, name) != getattr(usual, name):
            return f"{name}={getattr(synthesis, name)}"
    if synthesis.postfilter not in {None, ModelSpec(decoder="convnext").postfilter}:
        return f"postfilter={synthesis.postfilter}"
    if synthesis.sampler not in DETERMINISTIC:
        return f"the sampler {synthesis.sampler}, which draws noise in every step"
    return "precision=bfloat16" if synthesis.precision == "bfloat16" else None


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
    if (reason := unsuited(synthesis)) is not None:
        raise BadInputError(
            f"an ONNX graph cannot speak with {reason}", "Leave it out, or give --engine torch."
        )
    if (spec.sampler, spec.steps) != (synthesis.sampler, synthesis.steps):
        message = f"the graph was exported with {spec.steps} steps of {spec.sampler}"
        raise BadInputError(
            message, "Leave --steps, --draft, --best and --sampler out, or export it with others."
        )
