"""What a worker process computes: passages of speech, with the voices that it holds; checks of recordings."""

import signal
import time
import traceback
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import nn

from voxgrad.events import ignore
from voxgrad.preparation.alignment import loaded
from voxgrad.preparation.take_checks import check_take
from voxgrad.presets import load_prepare_preset
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.steps.card import card
from voxgrad.store.artifact import Artifact, ArtifactLocation
from voxgrad.store.store import Store
from voxgrad.system_errors import as_voxgrad_error
from voxgrad.text.passages import Passage
from voxgrad.vocoder.choice import choose_vocoder, mel_of
from voxgrad.voice.engine import PassageAudio
from voxgrad.voice.torch_engine import TorchEngine

THREADS = 1
"""Of every worker: more processes do more work than more threads."""
_OVERHEAD = 1.5  # of a loaded voice over its weights: buffers, and what the first passages allocate

_voices: "OrderedDict[tuple[ArtifactLocation, ArtifactLocation | None], tuple[TorchEngine, int]]" = (
    OrderedDict()
)
_limit = 0
_SYNTHESIS = SynthesisSpec()


class WorkerBugError(Exception):
    """An exception in a worker that nobody can mend by another request; its text is the traceback."""


def run(connection: Connection, megabytes: int) -> None:
    """The life of a worker: answer calls until the other side closes the connection.

    Args:
        connection: each message is ``(function, arguments)``, each answer ``(done, value)``.
        megabytes: of memory for loaded voices.
    """
    global _limit  # noqa: PLW0603 - one worker is one process
    _limit = megabytes * 1_000_000
    # Ctrl-C goes to all processes of a terminal; the server lets answers in progress end first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(THREADS)
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[bool, Any] = (True, function(*arguments))
        except Exception as error:  # noqa: BLE001 - one bad request must not end the worker
            answer = (False, as_voxgrad_error(error) or WorkerBugError(traceback.format_exc()))
        try:
            connection.send(answer)
        except OSError:
            return


def speak(
    voice: ArtifactLocation,
    vocoder: ArtifactLocation | None,
    passage: Passage,
    synthesis: SynthesisSpec,
    delivery: DeliverySpec,
    seed: int,
    pauses: Sequence[tuple[int, float]],
) -> tuple[PassageAudio, float]:
    """One passage of a text, and the seconds that it took; see `Engine.speak`.

    Raises:
        BadInputError: a setting cannot be used.
        IntegrityError: voice or vocoder is damaged, or was removed.
    """
    began = time.perf_counter()
    spoken = _loaded(voice, vocoder).speak(passage, synthesis, delivery, seed, pauses)
    return spoken, time.perf_counter() - began


def _loaded(voice: ArtifactLocation, vocoder: ArtifactLocation | None) -> TorchEngine:
    """A voice with its vocoder, from memory or from the store; the least recently used make room for it."""
    key = (voice, vocoder)
    if key not in _voices:
        sound = None if vocoder is None else Artifact.load(vocoder)
        engine = TorchEngine.load(Artifact.load(voice), sound)
        weights = _bytes(engine.acoustic.model, engine.acoustic.speaking(_SYNTHESIS.precision))
        size = int(_OVERHEAD * (weights + 2 * _stored(sound)))
        while _voices and size + sum(held for _, held in _voices.values()) > _limit:
            _voices.popitem(last=False)
        _voices[key] = (engine, size)
    _voices.move_to_end(key)
    return _voices[key][0]


def _bytes(*modules: nn.Module) -> int:
    """Of all weights; what modules share is counted once."""
    tensors = {id(one): one for module in modules for one in (*module.parameters(), *module.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _stored(vocoder: Artifact | None) -> int:
    """Bytes on the disk, where weights may have half precision; Griffin-Lim has none."""
    return 0 if vocoder is None else vocoder.size


def check(recording: Path, text: str, base: ArtifactLocation | None) -> dict[str, Any]:
    """A recording of a prompt, checked; see `voxgrad.preparation.take_checks.check_take`."""
    acoustic = None if base is None else loaded(base)
    return asdict(check_take(recording, text, acoustic, load_prepare_preset("prepare")))


def make_card(home: Path, voice: ArtifactLocation) -> str:
    """The page that compares a voice with its base, or the one that exists; returns its reference.

    Raises:
        BadInputError: base or dataset are not here any more.
    """
    store, one = Store.open(home), Artifact.load(voice)
    base = store.find(f"@sha256:{one.parent('base').digest}")
    dataset = store.find(f"@sha256:{one.parent('dataset').digest}", "dataset")
    return card(store, one, base, dataset, choose_vocoder(store, None, mel_of(one), ignore), ignore).ref
