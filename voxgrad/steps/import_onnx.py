"""An ONNX file that voxgrad exported → a graph in the store, which speaks without torch."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from voxgrad.errors import BadInputError
from voxgrad.onnx.file import check, described, read
from voxgrad.onnx.runtime import KIND, MODEL
from voxgrad.store.artifact import Artifact, check_name, plain_name
from voxgrad.store.manifest import Parent, fingerprint
from voxgrad.store.store import Store

VERSION = 1


def import_onnx(store: Store, file: Path, *, name: str | None, trust: bool) -> Artifact:
    """Imports a graph; nothing of it is run.

    Args:
        store: where it goes.
        file: the ONNX file.
        name: of the artifact; None: the voice's own.
        trust: take it although it is not as `export` makes it.

    Raises:
        BadInputError: it is not as `export` makes it, or says nothing of a voice.
    """
    content = read(file)
    description = described(content)[0] if trust else check(content)
    called = check_name(plain_name(description.name) if name is None else name)
    try:
        parents = {role: Parent.model_validate(description.lineage[role]) for role in ("voice", "vocoder")}
    except (KeyError, ValidationError) as error:
        raise BadInputError(f"{file.name} does not say what it was made from", "Export it again.") from error
    settings = {
        "acoustic": description.acoustic.model_dump(),
        "onnx": description.spec.model_dump(),
        "kind": description.kind,
        "pitch": description.pitch,
        "imported": {"file": file.name, "sha256": hashlib.sha256(content).hexdigest(), "trusted": trust},
    }
    key = fingerprint("import", VERSION, settings, parents, {"name": called})
    if (known := store.matching(KIND, key)) is not None:
        return known
    with store.stage(KIND, called) as staged:
        (staged.directory / MODEL).write_bytes(content)
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings=settings,
            consent=description.consent,
            licence=description.licence,
        )
