"""The process that makes a voice of recordings: prepare, finetune, card; run as ``python -m`` by the server.

It reads one `CloneRequest` on standard input, and writes its progress as JSON lines to standard output. SIGTERM stops
it with all that it has done saved; the same request goes on from there.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from voxgrad.errors import ExitCode
from voxgrad.events import Event
from voxgrad.preparation.quality_checks import Policy
from voxgrad.presets import load_prepare_preset, load_preset
from voxgrad.settings import Spec, TextSpec
from voxgrad.steps.card import card
from voxgrad.steps.finetune import finetune
from voxgrad.steps.prepare import Options, prepare
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.system_errors import as_voxgrad_error
from voxgrad.training.run import RunOptions, with_time_for_card
from voxgrad.vocoder.choice import choose_vocoder, mel_of

_NICER = 5  # speech that somebody waits for goes before training


class CloneRequest(Spec):
    """What a voice is made of, and how."""

    home: str
    folder: str
    """Recordings with their texts."""
    name: str
    """Of the voice and its dataset."""
    speaker: str
    consent: str
    """As the manifest will have it."""
    preset: str = "fast"
    minutes: float | None = None
    """Of training; None: as many as the preset takes."""
    overrides: tuple[str, ...] = ()
    """``key=value`` for the preset."""


def own_base(store: Store) -> Artifact | None:
    """The base that comes with voxgrad, which aligns texts with recordings as `prepare` does by default."""
    return max((one for one in store.list("base") if one.embedded), key=lambda one: one.version, default=None)


def clone(asked: CloneRequest, emit: Any) -> dict[str, Any]:
    """Make a voice, or go on with it; what exists already is found.

    Args:
        asked: what of.
        emit: called with progress events.

    Raises:
        VoxgradError: the recordings cannot be used, the disk refuses, or SIGTERM stopped it.
    """
    store = Store.open(Path(asked.home))
    options = Options(
        base=own_base(store), policy=Policy(), speaker=asked.speaker, consent=asked.consent, jobs=1
    )
    dataset = prepare(
        store,
        Path(asked.folder),
        name=asked.name,
        preset=load_prepare_preset("prepare"),
        text=TextSpec(),
        options=options,
        emit=emit,
    )
    how = with_time_for_card(RunOptions(budget=None if asked.minutes is None else 60 * asked.minutes))
    voice = finetune(
        store,
        dataset,
        store.find(None, "base"),
        name=asked.name,
        speaker=None,
        preset=load_preset(asked.preset, asked.overrides),
        emit=emit,
        options=how,
    )
    base = store.find(f"@sha256:{voice.parent('base').digest}")
    vocoder = choose_vocoder(store, None, mel_of(voice), emit)
    page = card(store, voice, base, dataset, vocoder, emit, how.end)
    metrics = dataset.manifest.metrics
    return {
        "voice": voice.ref,
        "card": page.ref,
        "verdict": page.manifest.metrics["verdict"],
        "clips": metrics["clips"],
        "rejected": metrics["rejected"],
        "seconds": metrics["seconds"],
    }


def main() -> int:
    """Read a request, and tell how it goes; returns the exit code."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    with suppress(OSError):
        os.nice(_NICER)

    def tell(kind: str, content: dict[str, Any]) -> None:
        sys.stdout.write(f"{json.dumps({'event': kind, **content})}\n")
        sys.stdout.flush()

    def emit(event: Event) -> None:
        tell(type(event).__name__.lower(), asdict(event))

    try:
        tell("done", clone(CloneRequest.model_validate_json(sys.stdin.read()), emit))
    except KeyboardInterrupt:
        tell("failed", {"message": "Stopped.", "exit_code": int(ExitCode.TERMINATED)})
        return int(ExitCode.TERMINATED)
    except Exception as error:
        if (known := as_voxgrad_error(error)) is None:
            raise
        tell("failed", {"message": str(known), "exit_code": int(known.exit_code)})
        return int(known.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
