"""Engines, which compute a voice's audio, and what settings change in any of them.

It needs no torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from voxgrad.audio.io import Samples, Waveform
from voxgrad.errors import BadInputError
from voxgrad.onnx.networks import Networks
from voxgrad.onnx.runtime import MODEL, NetworkOutput, OnnxGraph, settings_of
from voxgrad.settings import AcousticSpec, DeliverySpec, ModelSpec, OnnxSpec, SynthesisSpec
from voxgrad.store import Artifact
from voxgrad.text.intonation import question_rises
from voxgrad.text.passages import Passage
from voxgrad.voice.prosody import TokenChanges, changes_pitch, gains, is_plain, pitch_curve, token_prosody
from voxgrad.voice.silence_cuts import Cuts, cuts_for
from voxgrad.weights import InLanguage, acoustic_spec_of, weights_of

_PEAK: Final = 0.99
_FREE: Final = {
    *("sampler", "quality", "steps", "temperature", "speaker", "speed"),
    *("precision", "question_rise", "postfilter", "language"),
}
"""Settings that a graph takes as an input, or that it was exported with."""
_SHORTEST_TO_SHIFT: Final = 0.1  # seconds

Pauses = Sequence[tuple[int, float]]
"""Numbers of words, each with the seconds of silence before it."""


@dataclass(frozen=True, eq=False)
class PassageAudio:
    """A passage alone, without the silence around it."""

    samples: Samples
    """(n,) float32."""
    mel: Samples
    """(n_mels, frames) float32."""
    durations: tuple[int, ...]
    """Frames of every token."""
    borders: tuple[float, ...]
    """Seconds at which every token begins, and the last one ends."""
    lead: float = 0.0
    """Seconds of silence before the first sound."""
    tail: float = 0.0
    """Seconds of silence after the last."""


class Engine(Protocol):
    """What speaks the passages of one voice."""

    @property
    def threads(self) -> int:
        """Of the processor: sums of other numbers of threads round otherwise."""

    @property
    def tools(self) -> Mapping[str, str]:
        """Versions of what computes."""

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Pauses = (),
    ) -> PassageAudio:
        """Speak one passage.

        Raises:
            BadInputError: a setting cannot be used.
        """


class LocalEngine(ABC):
    """An `Engine` whose network is loaded in this process."""

    @property
    @abstractmethod
    def spec(self) -> AcousticSpec:
        """What the voice carries."""

    @property
    @abstractmethod
    def threads(self) -> int:
        """See `Engine`."""

    @property
    @abstractmethod
    def tools(self) -> Mapping[str, str]:
        """See `Engine`."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes of its weights in memory."""

    @abstractmethod
    def run(
        self, tokens: Sequence[int], synthesis: SynthesisSpec, seed: int, prosody: TokenChanges | None
    ) -> NetworkOutput:
        """Have the network say one utterance."""

    @abstractmethod
    def mean_pitch(self, row: int) -> float | None:
        """Of a speaker, in Hz, where the model predicts pitch; else None."""

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.spec.mel.sample_rate

    def speak(
        self,
        passage: Passage,
        synthesis: SynthesisSpec,
        delivery: DeliverySpec,
        seed: int,
        pauses: Pauses = (),
    ) -> PassageAudio:
        """See `Engine.speak`."""
        hop, words = self.spec.mel.hop_length, passage.encoded.words
        mean_pitch = self.mean_pitch(self.spec.row_of(synthesis.speaker))
        rise = None if mean_pitch is None else self._rise(passage, synthesis)
        prosody = None if rise is None and is_plain(passage) else token_prosody(passage, mean_pitch, rise)
        said = self.run(passage.encoded.tokens, synthesis, seed, prosody)
        samples, durations = finite(said.samples), said.durations
        if prosody is not None and mean_pitch is None and changes_pitch(passage):
            samples = self._bend(samples, passage, durations)
        edges = [frame * hop for frame in accumulate(durations, initial=0)]
        asked = () if delivery.edge_silence is None else tuple(pause for pause in pauses if pause[1] > 0)
        gaps = [(words[at - 1].stop, words[at].start) for at, _ in asked]
        places = [
            (edges[before] / self.rate, edges[after] / self.rate, seconds)
            for (before, after), (_, seconds) in zip(gaps, asked, strict=True)
        ]
        cuts = Cuts() if delivery.edge_silence is None else cuts_for(samples, self.rate, places)
        factors = None if prosody is None else gains(passage, durations, hop, len(samples), self.rate)
        samples = self.deliver(samples if factors is None else samples * factors, delivery)
        return PassageAudio(
            cuts.apply(samples, self.rate),
            said.mel,
            durations,
            tuple(sample / self.rate for sample in cuts.borders(edges, gaps)),
            cuts.lead / self.rate,
            cuts.tail / self.rate,
        )

    def deliver(self, samples: Samples, delivery: DeliverySpec) -> Samples:
        """Samples (n,) at the pitch and volume that are asked for."""
        if delivery.pitch and len(samples) > _SHORTEST_TO_SHIFT * self.rate:
            # Only here, because Praat takes long to load.
            from voxgrad.audio.praat import shift  # noqa: PLC0415

            raised = shift(Waveform(samples, self.rate), 2 ** (delivery.pitch / 12), 1.0).samples
            samples = np.pad(raised[: len(samples)], (0, max(0, len(samples) - len(raised))))
        return _limited(_limited(samples) * np.float32(delivery.volume))

    def _rise(self, passage: Passage, synthesis: SynthesisSpec) -> list[float] | None:
        """How far the tokens of questions rise; None where none does."""
        if not synthesis.question_rise or self.spec.text.frontend != "voxgrad":
            return None
        rises = question_rises(passage.encoded)
        return None if rises is None else [synthesis.question_rise * rise for rise in rises]

    def _bend(self, samples: Samples, passage: Passage, durations: tuple[int, ...]) -> Samples:
        """Raise the pitch by Praat, for models that predict none: relative to the one that is heard."""
        from voxgrad.audio.praat import bend, median_f0  # noqa: PLC0415 - as above

        if len(samples) <= _SHORTEST_TO_SHIFT * self.rate:
            return samples
        waveform = Waveform(samples, self.rate)
        prosody = token_prosody(passage, median_f0(waveform))
        times, semitones = pitch_curve(prosody, durations, self.spec.mel.seconds_per_frame)
        return bend(waveform, times, semitones).samples


@dataclass(frozen=True, eq=False)
class OnnxEngine(LocalEngine):
    """A voice in ONNX Runtime: its networks, or one exported graph."""

    network: Networks | OnnxGraph
    """Loaded."""
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

    @classmethod
    def of_voice(
        cls,
        voice: Artifact,
        vocoder: Artifact,
        graphs: tuple[Path, Path, Path],
        threads: int | None = None,
        language: InLanguage | None = None,
    ) -> "OnnxEngine":
        """Load a voice and its vocoder, every digest verified; see `Networks.load`. Without a language, for English.

        Raises:
            BadInputError: ONNX Runtime is not installed.
            IntegrityError: one of them is damaged.
        """
        weights = (weights_of(voice, language), weights_of(vocoder))
        loaded = Networks.load(acoustic_spec_of(voice, language), weights, graphs, threads)
        return cls(loaded, loaded.pitch)

    @property
    def spec(self) -> AcousticSpec:
        """See `LocalEngine`."""
        return self.network.acoustic

    @property
    def threads(self) -> int:
        """See `Engine`."""
        return self.network.threads

    @property
    def tools(self) -> dict[str, str]:
        """See `Engine`."""
        return {"onnxruntime": self.network.version}

    @property
    def size(self) -> int:
        """See `LocalEngine`."""
        return self.network.size

    def run(
        self, tokens: Sequence[int], synthesis: SynthesisSpec, seed: int, prosody: TokenChanges | None
    ) -> NetworkOutput:
        """See `LocalEngine`."""
        if isinstance(self.network, OnnxGraph):
            require_settings(self.network.spec, synthesis)
        else:
            require_suited(synthesis)
        changes = () if prosody is None else (prosody.rate, prosody.semitones, prosody.rise)
        return self.network.speak(tokens, synthesis, seed, self.spec.row_of(synthesis.speaker), *changes)

    def mean_pitch(self, row: int) -> float | None:
        """See `LocalEngine`."""
        return float(self.pitch[row])


def finite(samples: Samples) -> Samples:
    """The same samples.

    Raises:
        BadInputError: they are not finite.
    """
    if not np.isfinite(samples).all():
        raise BadInputError("the voice produced values that are not finite", "Fine-tune it again, or use another.")
    return samples


def _limited(samples: Samples) -> Samples:
    """Samples that stay below full scale: rather a little quieter than clipped."""
    peak = float(np.abs(samples).max())
    return samples * np.float32(_PEAK / peak) if peak > _PEAK else samples


def unsuited(synthesis: SynthesisSpec) -> str | None:
    """Why ONNX Runtime cannot speak with these settings; None where it can."""
    if synthesis.durations != "rounded":
        return f"durations={synthesis.durations}"
    return "precision=bfloat16" if synthesis.precision == "bfloat16" else None


def _unsuited_to_export(synthesis: SynthesisSpec) -> str | None:
    """The same for an exported graph, which holds a sampler."""
    usual = SynthesisSpec()
    for name in SynthesisSpec.model_fields:
        if name not in _FREE and getattr(synthesis, name) != getattr(usual, name):
            return f"{name}={getattr(synthesis, name)}"
    if synthesis.postfilter not in {None, ModelSpec(decoder="convnext").postfilter}:
        return f"postfilter={synthesis.postfilter}"
    return unsuited(synthesis)


def require_suited(synthesis: SynthesisSpec, reason: Callable[[SynthesisSpec], str | None] = unsuited) -> None:
    """Check that ONNX Runtime can speak with these settings.

    Raises:
        BadInputError: it cannot, for a ``reason``.
    """
    if (why := reason(synthesis)) is not None:
        raise BadInputError(f"ONNX Runtime cannot speak with {why}", "Remove it, or use --engine torch.")


def resolve_graph_defaults(spec: OnnxSpec, synthesis: SynthesisSpec) -> SynthesisSpec:
    """Settings with a graph's sampler and steps where none were given."""
    update: dict[str, Any] = {}
    if synthesis.steps is None and synthesis.quality == "default":
        update["steps"] = spec.steps
    if "sampler" not in synthesis.model_fields_set:
        update["sampler"] = spec.sampler
    return synthesis.model_copy(update=update)


def require_settings(spec: OnnxSpec, synthesis: SynthesisSpec) -> None:
    """Check that a graph was exported with what is asked for.

    Raises:
        BadInputError: it was not.
    """
    require_suited(synthesis, _unsuited_to_export)
    if (spec.sampler, spec.steps) != (synthesis.sampler, synthesis.steps):
        raise BadInputError(
            f"the graph has {spec.steps} steps of {spec.sampler}",
            "Leave --steps, --draft, --best and --sampler out, or export it with others.",
        )
