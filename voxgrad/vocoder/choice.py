"""The choice of a vocoder, by its settings alone, without loading it or torch."""

import json
from typing import Any

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Emit, Said
from voxgrad.presets import validated
from voxgrad.settings import MelSpec
from voxgrad.store import Artifact, Store

DESCRIPTION = "vocoder.json"
GRIFFIN_LIM = "griffinlim"
"""The reference that means no artifact."""


def choose_vocoder(store: Store, ref: str | None, mel: MelSpec, emit: Emit) -> Artifact | None:
    """Find a vocoder: None for Griffin-Lim, which needs no weights.

    Without a reference, it is the newest that understands ``mel``, the user's own before those that came with the
    package; where nothing fits, ``emit`` is told.

    Raises:
        BadInputError: there is no vocoder ``ref``.
        IntegrityError: it is damaged.
    """
    if ref == GRIFFIN_LIM:
        return None
    if ref is not None:
        return store.find(ref, "vocoder")
    fitting = [vocoder for vocoder in store.list("vocoder") if mel_of(vocoder) == mel]
    if not fitting:
        emit(Said("no vocoder fits these mel settings: using Griffin-Lim, which sounds buzzy"))
    return max(
        fitting,
        key=lambda vocoder: (not vocoder.embedded, vocoder.manifest.created, vocoder.version),
        default=None,
    )


def mel_of(artifact: Artifact) -> MelSpec:
    """Find the mel that a vocoder, base or voice was made for.

    Raises:
        IntegrityError: it is damaged, or does not record its mel.
    """
    settings: Any = artifact.manifest.settings.get("acoustic")
    if artifact.kind == "vocoder":
        try:
            settings = json.loads(artifact.path(DESCRIPTION).read_bytes())
        except ValueError:
            settings = None
    if not isinstance(settings, dict) or not isinstance(settings.get("mel"), dict):
        raise IntegrityError(
            f"{artifact} does not record its mel settings", "Restore it from a copy, or create it again."
        )
    try:
        return validated(MelSpec, settings["mel"], str(artifact))
    except BadInputError as error:
        # They are no input of the user, but were published so.
        raise IntegrityError(error.message, "Create it again with this version of voxgrad.") from error
