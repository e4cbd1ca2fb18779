"""Loads the voice that a reference names, for torch or ONNX Runtime."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said, ignore
from voxgrad.onnx import networks
from voxgrad.onnx.runtime import KIND, has_runtime, settings_of
from voxgrad.settings import SynthesisSpec
from voxgrad.settings.synthesis import Quantize
from voxgrad.store import Artifact, Store
from voxgrad.text.lexicon import LEXICON, Lexicon
from voxgrad.text.symbols import ENGLISH
from voxgrad.vocoder.choice import DESCRIPTION, choose_vocoder, mel_of
from voxgrad.voice.engine import (
    Engine,
    LocalEngine,
    OnnxEngine,
    require_settings,
    require_suited,
    resolve_graph_defaults,
    unsuited,
)
from voxgrad.voice.voice import Voice
from voxgrad.weights import InLanguage, acoustic_spec_of, languages_of

EngineName = Literal["auto", "torch", "onnx"]
QUANTIZE: Final[Quantize] = "int8"
"""Weights that ONNX Runtime multiplies by."""
Graphs = tuple[Path, Path, Path]
"""Of a voice: its prior, its score network and its vocoder."""
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
        engine: what computes. ``auto`` means ONNX Runtime where it can and has the graphs, as of `english` and all
            voices that were made from it, else torch; with ``onnx``, graphs are made where there are none yet.
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
    graphs = choose_graphs(store, engine, artifact, sound, synthesis, emit)
    voice = open_voice(store, artifact, sound, words, graphs)
    if speaker is not None:
        voice.check_speaker(speaker)
    return voice.of_speaker(speaker)


def open_voice(
    store: Store,
    voice: Artifact,
    vocoder: Artifact | None,
    lexicon: Lexicon,
    graphs: Graphs | None = None,
    threads: int | None = None,
) -> Voice:
    """A voice that speaks through ONNX Runtime, with so many threads; or through torch, where it has no graphs."""
    exported = voice.kind == KIND

    languages = {} if exported else languages_of(voice, store)

    @cache
    def open_engine(code: str) -> Engine:
        if code == ENGLISH or exported:
            return load_engine(voice, vocoder, graphs, threads)
        language = (languages[code], code)
        found = None if graphs is None else find_graphs(store.home, voice, vocoder, language)
        return load_engine(voice, vocoder, found, threads, language)

    if not exported and graphs is None:
        require_torch()
    quantize = settings_of(voice)[1].quantize if exported else None if graphs is None else QUANTIZE
    return Voice(voice, vocoder, lexicon, open_engine, quantize, languages=languages)


def load_engine(
    voice: Artifact,
    vocoder: Artifact | None,
    graphs: Graphs | None,
    threads: int | None = None,
    language: InLanguage | None = None,
) -> LocalEngine:
    """Load what `open_voice` opens, every digest verified, for English or another language.

    Raises:
        BadInputError: voice and vocoder do not fit, or the library is not installed.
        IntegrityError: one of them is damaged.
    """
    if voice.kind == KIND:
        return OnnxEngine.load(voice, threads)
    if graphs is not None and vocoder is not None:
        return OnnxEngine.of_voice(voice, vocoder, graphs, threads, language)
    from voxgrad.voice.torch_engine import TorchEngine  # noqa: PLC0415 - it needs torch

    return TorchEngine.load(voice, vocoder, language)


def choose_graphs(
    store: Store,
    engine: EngineName,
    voice: Artifact,
    vocoder: Artifact | None,
    synthesis: SynthesisSpec,
    emit: Emit,
) -> Graphs | None:
    """The graphs that ONNX Runtime shall compute; None: torch computes, or the voice is a graph.

    Raises:
        BadInputError: the engine cannot do what is asked.
    """
    if voice.kind == KIND:
        if engine == "torch":
            raise BadInputError(f"{voice} is an ONNX graph, which torch cannot use", "Leave out --engine torch.")
        exported = settings_of(voice)[1]
        require_settings(exported, resolve_graph_defaults(exported, synthesis))
        return None
    if engine == "torch":
        return None
    if engine == "auto":
        return usual_graphs(store, voice, vocoder, synthesis)
    require_suited(synthesis)
    graphs = find_graphs(store.home, voice, vocoder)
    if graphs is None:
        make_graphs(store, voice, vocoder, emit)
        graphs = find_graphs(store.home, voice, vocoder)
    return graphs


def usual_graphs(store: Store, voice: Artifact, vocoder: Artifact | None, synthesis: SynthesisSpec) -> Graphs | None:
    """The graphs that compute where no engine is asked for; None: torch does.

    It also does where a precision is asked for, because ONNX Runtime multiplies 8-bit integers.
    """
    possible = synthesis.precision == "auto" and not unsuited(synthesis) and has_runtime()
    return find_graphs(store.home, voice, vocoder) if possible else None


def find_graphs(
    home: Path, voice: Artifact, vocoder: Artifact | None, language: InLanguage | None = None
) -> Graphs | None:
    """The graphs of a voice's and a vocoder's architecture; None where one is missing."""
    if vocoder is None:
        return None
    key = networks.acoustic_key(acoustic_spec_of(voice, language), QUANTIZE)
    found = [networks.find_graph(home, name, key) for name in (networks.PRIOR, networks.SCORE)]
    record = json.loads(vocoder.path(DESCRIPTION).read_text(encoding="utf-8"))
    key = networks.vocoder_key(record["type"], record["spec"], record["mel"], QUANTIZE)
    prior, score, sound = (*found, networks.find_graph(home, record["type"], key))
    return None if prior is None or score is None or sound is None else (prior, score, sound)


def make_graphs(store: Store, voice: Artifact, vocoder: Artifact | None, emit: Emit) -> None:
    """Make the graphs of a voice's architecture in the store.

    Raises:
        BadInputError: it cannot become graphs; the message says why.
    """
    require_torch()
    from voxgrad.acoustic_model import load_acoustic_model  # noqa: PLC0415 - as all of these need torch
    from voxgrad.onnx.export import require_exportable  # noqa: PLC0415
    from voxgrad.onnx.external import write_graphs  # noqa: PLC0415
    from voxgrad.vocoder.registry import load_vocoder  # noqa: PLC0415

    acoustic = load_acoustic_model(voice)
    network = load_vocoder(vocoder, acoustic.spec.mel, str(voice))
    require_exportable(acoustic, network, "vocoder Griffin-Lim" if vocoder is None else str(vocoder))
    emit(Said(f"making ONNX graphs for voices such as {voice.ref}; this happens once"))
    write_graphs(store.home, acoustic, network, QUANTIZE)


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
