"""The networks of a voice in ONNX Runtime: graphs without weights, which come with the package, and the weights.

A graph is of an architecture: every voice that was made from `english` has the same. Between the graphs, the samplers
compute in NumPy, as they do on torch's tensors. Needs no torch.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.onnx.file import external_initializers, read
from voxgrad.onnx.runtime import NetworkOutput, Noise, default_threads, open_session, runtime
from voxgrad.packing import DETAIL_GAINS, Array, Packed, Weights, as_matrix
from voxgrad.postfilter import filtered
from voxgrad.samplers import SAMPLERS, Schedule, time_grid
from voxgrad.settings import AcousticSpec, ModelSpec, SynthesisSpec
from voxgrad.settings.synthesis import Quantize

PRIOR, SCORE = "prior", "score"
TRANSPOSED, INTEGERS, SCALES = ":transposed", ":int8", ":scale"
"""After the name of a matrix in the weights: (in, out) of float32, the same of 8-bit integers, and (out,) scales."""
VERSION: Final = 1
"""Raised whenever the same architecture would give other graphs."""
EMBEDDED: Final = Path(__file__).parent.parent / "pretrained" / "graphs"
"""Where those lie that come with the package."""
_NOT_IN_GRAPHS: Final = ("temperature", "pe_scale", "enc_dropout", "frame_dropout")
"""Fields of `ModelSpec` that no graph depends on."""


def acoustic_key(spec: AcousticSpec, quantize: Quantize) -> str:
    """What the graphs of an acoustic model depend on."""
    return _key(spec.model.model_dump(exclude=set(_NOT_IN_GRAPHS)), quantize)


def vocoder_key(kind: str, spec: dict[str, Any], mel: dict[str, Any], quantize: Quantize) -> str:
    """What the graph of a vocoder depends on."""
    return _key({"type": kind, "spec": spec, "mel": mel}, quantize)


def _key(content: dict[str, Any], quantize: Quantize) -> str:
    text = json.dumps([VERSION, quantize, content], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:12]


def file_name(network: str, key: str) -> str:
    """The file that holds the graph of a network."""
    return f"{network}-{key}.onnx"


def graphs_in(home: Path) -> Path:
    """Where graphs lie that do not come with the package."""
    return home / "graphs"


def find_graph(home: Path, network: str, key: str) -> Path | None:
    """A graph; None if there is none."""
    name = file_name(network, key)
    return next((path for path in (EMBEDDED / name, graphs_in(home) / name) if path.is_file()), None)


def initializers(weights: Weights, listed: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, NDArray[Any]]:
    """What initializers are made of, by name, from their names and shapes: tensors of the weights, as the names say."""
    integers = lru_cache(maxsize=1)(weights.integers)  # of which both halves are asked for, one after the other
    return {name: _initializer(weights, integers, name, shape) for name, shape in listed}


def _initializer(
    weights: Weights, integers: Callable[[str], Packed], name: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    key, colon, form = name.partition(":")
    if colon + form == INTEGERS:
        return np.ascontiguousarray(as_matrix(integers(key).high).T)
    if colon + form == SCALES:
        return integers(key).scale
    values: Array = weights.floats(key)
    if colon + form == TRANSPOSED:
        values = as_matrix(values).T
    return np.ascontiguousarray(values.reshape(shape) if values.size == np.prod(shape) else values)


def load_network(graph: Path, weights: Weights, threads: int) -> tuple[Any, int]:
    """A session of ONNX Runtime, and the bytes of the weights that it holds.

    Raises:
        BadInputError: ONNX Runtime is not installed.
        IntegrityError: the weights are not those of the architecture, or the graph is damaged.
    """
    content, value_of = read(graph), runtime().OrtValue.ortvalue_from_numpy
    try:
        arrays = initializers(weights, external_initializers(content))
        session = open_session(content, threads, list(arrays), [value_of(array) for array in arrays.values()])
    except (BadInputError, ValueError, TypeError) as error:
        again = "Install voxgrad again" if graph.parent == EMBEDDED else f"Delete {graph}"
        raise IntegrityError(f"{graph.name} and {weights.path.name} do not fit, or are damaged", f"{again}.") from error
    return session, sum(array.nbytes for array in arrays.values())


@dataclass(frozen=True, eq=False)
class Networks:
    """A voice and its vocoder, loaded."""

    acoustic: AcousticSpec
    prior: Any
    score: Any
    vocoder: Any
    """Sessions of ONNX Runtime."""
    pitch: tuple[float, ...]
    """Hz, the mean of every speaker, by row."""
    detail_gains: Array
    """See `voxgrad.postfilter`; (n_spks, n_feats)."""
    threads: int
    version: str
    """Of ONNX Runtime."""
    size: int
    """Bytes of the weights."""

    @classmethod
    def load(
        cls,
        acoustic: AcousticSpec,
        weights: tuple[Weights, Weights],
        graphs: tuple[Path, Path, Path],
        threads: int | None = None,
    ) -> "Networks":
        """Load the weights of a voice and of its vocoder into graphs: `PRIOR`, `SCORE` and the vocoder's.

        They compute with so many ``threads``; None: one for every processor, or as many as ``OMP_NUM_THREADS`` says.

        Raises:
            BadInputError: ONNX Runtime is not installed.
            IntegrityError: the weights are damaged.
        """
        count = default_threads() if threads is None else threads
        voice, vocoder = weights
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(load_network, graphs, (voice, voice, vocoder), [count] * len(graphs)))
        pitch = np.exp(voice.floats("frame_prior.pitch_statistics")[:, 0])
        model = acoustic.model
        gains = np.ones((model.n_spks, model.n_feats), np.float32)  # of weights from before there were any
        if DETAIL_GAINS in {*voice}:
            gains = voice.floats(DETAIL_GAINS)
        (prior, _), (score, _), (sound, _) = found
        size, version = sum(size for _, size in found), str(runtime().__version__)
        return cls(acoustic, prior, score, sound, tuple(pitch.tolist()), gains, count, version, size)

    def speak(
        self,
        tokens: Sequence[int],
        synthesis: SynthesisSpec,
        seed: int,
        speaker: int,
        rate: Array | None = None,
        semitones: Array | None = None,
        rise: Array | None = None,
    ) -> NetworkOutput:
        """Speak one utterance, as `voxgrad.model.gradtts.GradTTS.synthesize` does.

        Args:
            tokens: ids.
            synthesis: all but ``durations`` and ``precision``.
            seed: of the noise, which is torch's.
            speaker: row of the embedding.
            rate: factor of every token's speed, (tokens,).
            semitones: that every token is raised by, (tokens,).
            rise: how far every token of a question rises, (tokens,).
        """
        synthesis, model = synthesis.resolve_defaults(self.acoustic.model), self.acoustic.model
        row = {"speaker": np.array([speaker])} if model.n_spks > 1 else {}
        one, none = np.ones(1, np.float32), np.zeros(1, np.float32)
        speed = np.float64(synthesis.speed) * (one if rate is None else rate)
        durations, mu, features = self.prior.run(
            None,
            {
                "tokens": np.array([tokens]),
                "scale": (self.acoustic.duration_scale / speed).astype(np.float32),
                "pitch": none if semitones is None else semitones,
                "rise": none if rise is None else rise,
                "pitch_range": np.float32(synthesis.pitch_range) * one,
                **row,
            },
        )
        process = _Process(model, self.score, {"mu": mu, "features": features, **row}, mu, Noise(seed))
        temperature = model.temperature if synthesis.temperature is None else synthesis.temperature
        start = np.float32(temperature) * process.noise() + (mu if synthesis.start == "mu" else np.float32(0))
        mel = SAMPLERS[synthesis.sampler](process, start, time_grid(synthesis.steps or 1, synthesis.grid))
        mel = filtered(mel, self.detail_gains[speaker], synthesis.postfilter or 0.0)
        mel = mel.clip(*self.acoustic.mel.range).astype(np.float32)
        (audio,) = self.vocoder.run(None, {"mel": mel})
        return NetworkOutput(audio.reshape(-1), mel[0], tuple(durations[0].tolist()))


@dataclass(frozen=True)
class _Process:
    """See `voxgrad.samplers.Process`; arrays are (1, n_feats, frames)."""

    model: ModelSpec
    session: Any
    inputs: dict[str, NDArray[Any]]
    mu: Array
    source: Noise

    @cached_property
    def _schedule(self) -> Schedule:
        return Schedule(self.model.beta_min, self.model.beta_max)

    def beta(self, t: float) -> float:
        return self._schedule.beta(t)

    def level(self, t: float) -> tuple[float, float]:
        return self._schedule.level(t)

    def score(self, x: Array, t: float) -> Array:
        inputs = {"x": x.astype(np.float32, copy=False), "t": np.array([t], np.float32), **self.inputs}
        score: Array = self.session.run(None, inputs)[0]
        return score

    def noise(self) -> Array:
        return self.source.draw(self.mu.size).reshape(self.mu.shape)

    def clear(self, x: Array) -> Array:
        return x
