"""ONNX Runtime: graphs in the store, and how an exported graph speaks. Needs no torch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec, OnnxSpec, SynthesisSpec
from voxgrad.store.artifact import Artifact
from voxgrad.threads import usable_processors

KIND: Final = "onnx"
MODEL: Final = "model.onnx"


def settings_of(graph: Artifact) -> tuple[AcousticSpec, OnnxSpec]:
    """The settings of a graph's voice, and of its export.

    Raises:
        IntegrityError: its manifest does not have them.
    """
    settings: dict[str, Any] = graph.manifest.settings
    try:
        return (
            validated(AcousticSpec, settings["acoustic"], graph.ref),
            validated(OnnxSpec, settings["onnx"], graph.ref),
        )
    except (BadInputError, KeyError, TypeError) as error:
        raise IntegrityError(f"the manifest of {graph} holds no graph", "Export it again.") from error


_FRAMES_A_TOKEN = 24
"""Noise for so many is drawn; a longer utterance repeats it."""


def require_onnx() -> Any:
    """The package ``onnx``, which writing graphs needs.

    Raises:
        BadInputError: it is not installed.
    """
    return _required("onnx", "the package onnx")


def has_runtime() -> bool:
    """Whether ONNX Runtime is installed; it is not imported."""
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec("onnxruntime") is not None


def _required(module: str, called: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise BadInputError(f"{called} is not installed", f"Install it: pip install {module}.") from error


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """One utterance from a network."""

    samples: NDArray[np.float32]
    """(n,), of any level."""
    mel: NDArray[np.float32]
    """(n_mels, frames)."""
    durations: tuple[int, ...]
    """Frames of every token."""


def runtime() -> Any:
    """ONNX Runtime.

    Raises:
        BadInputError: it is not installed.
    """
    return _required("onnxruntime", "ONNX Runtime")


def open_session(
    model: str | bytes, threads: int, names: Sequence[str] = (), values: Sequence[Any] = (), *, packed: bool = False
) -> Any:
    """A session of ONNX Runtime for a simplified graph: a path, or its content.

    Args:
        model: the graph.
        threads: to compute with.
        names: of the initializers that lie outside the graph.
        values: of these, ``OrtValue``s of ONNX Runtime's own kind.
        packed: whether matrices are copied into the order that products read them in.

    Raises:
        BadInputError: ONNX Runtime is not installed, or does not understand the graph.
    """
    options = runtime().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that wait busily take the processor from those that compute: on two, speech took twice as long.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The graph is simplified already, and to optimise it again takes longer than a sentence.
    options.graph_optimization_level = runtime().GraphOptimizationLevel.ORT_DISABLE_ALL
    if not packed:
        # A second copy of the weights, which 8-bit products hardly gain from.
        options.add_session_config_entry("session.disable_prepacking", "1")
    if names:
        options.add_external_initializers(list(names), list(values))
    try:
        return runtime().InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class of their own
        reason = str(error).strip().partition("\n")[0][:160]
        message = f"ONNX Runtime cannot load the graph ({reason})"
        raise BadInputError(message, "Export it again, or upgrade onnxruntime.") from error


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """An exported graph, loaded."""

    session: Any
    """Of ONNX Runtime, as is the version."""
    acoustic: AcousticSpec
    spec: OnnxSpec
    threads: int
    version: str
    size: int
    """Bytes of the file."""

    @classmethod
    def load(cls, path: Path, acoustic: AcousticSpec, spec: OnnxSpec, threads: int | None = None) -> "OnnxGraph":
        """Load a graph that is known to be written by voxgrad.

        It computes with so many ``threads``; None: one for every processor, or as many as ``OMP_NUM_THREADS`` says.

        Raises:
            BadInputError: ONNX Runtime is not installed, or does not understand the file.
        """
        count = default_threads() if threads is None else threads
        session = open_session(str(path), count, packed=spec.quantize == "none")
        return cls(session, acoustic, spec, count, str(runtime().__version__), path.stat().st_size)

    def speak(
        self,
        tokens: Sequence[int],
        synthesis: SynthesisSpec,
        seed: int,
        speaker: int | None = None,
        rate: NDArray[np.float32] | None = None,
        semitones: NDArray[np.float32] | None = None,
        rise: NDArray[np.float32] | None = None,
    ) -> NetworkOutput:
        """Speak one utterance.

        Args:
            tokens: ids.
            synthesis: speed and temperature; what else it says must be what the graph was exported with.
            seed: of the noise, which is torch's.
            speaker: row of the embedding; None: the voice's own.
            rate: factor of every token's speed, (tokens,).
            semitones: that every token is raised by, (tokens,).
            rise: how far every token of a question rises, (tokens,).
        """
        model = self.acoustic.model
        temperature = model.temperature if synthesis.temperature is None else synthesis.temperature
        speed = np.float32(synthesis.speed) * (np.ones(1, np.float32) if rate is None else rate)
        frames = -(-int(_FRAMES_A_TOKEN * len(tokens) / speed.min()) // 16) * 16
        inputs = {
            "tokens": np.array([tokens], np.int64),
            "lengths": np.array([len(tokens)], np.int64),
            "speed": speed,
            "pitch": np.zeros(1, np.float32) if semitones is None else semitones,
            "temperature": np.array([temperature], np.float32),
            "noise": Noise(seed).draw(model.n_feats * frames),
            "rise": np.zeros(1, np.float32) if rise is None else rise,
        }
        if model.n_spks > 1:
            row = self.acoustic.speakers[self.acoustic.voice] if speaker is None else speaker
            inputs["speaker"] = np.array([row], np.int64)
        audio, durations, mel = self.session.run(["audio", "durations", "mel"], inputs)
        return NetworkOutput(audio[0], mel[0], tuple(durations[0].tolist()))


def default_threads() -> int:
    """As torch has it: ``OMP_NUM_THREADS``, else one for every processor that this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    return usable_processors()


_BLOCK = 16


class Noise:
    """What ``torch.randn(…, generator=torch.Generator().manual_seed(seed))`` draws on a processor, time after time.

    ATen fills blocks of 16 by Box and Muller's transform of 24-bit uniform numbers from a Mersenne Twister; the two
    agree to the rounding of logarithm and cosine.

    Args:
        seed: as torch takes it; the Twister looks at its lowest 32 bits.
    """

    def __init__(self, seed: int) -> None:
        self._twister = np.random.RandomState(seed & 0xFFFFFFFF)

    def draw(self, count: int) -> NDArray[np.float32]:
        """Standard normal numbers, (count,).

        Raises:
            ValueError: ``count`` is not a multiple of 16.
        """
        if count % _BLOCK:
            raise ValueError(f"{count} is not a multiple of {_BLOCK}")
        bits = self._twister.randint(0, 1 << 32, count, np.uint32) & np.uint32((1 << 24) - 1)
        uniform = (bits * np.float32(2.0**-24)).astype(np.float32).reshape(-1, 2, _BLOCK // 2)
        radius = np.sqrt(-2 * np.log(1 - uniform[:, 0]))
        angle = np.float32(2 * np.pi) * uniform[:, 1]
        return np.stack((radius * np.cos(angle), radius * np.sin(angle)), 1).astype(np.float32).reshape(-1)
