"""A voice with its vocoder as an ONNX graph: export and import."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.files import atomic_write
from voxgrad.onnx.file import check, check_folder, described, graph_files, read, sherpa_files, write_folder
from voxgrad.onnx.runtime import KIND, MODEL
from voxgrad.settings import OnnxSpec
from voxgrad.store.artifact import Artifact, check_name, plain_name
from voxgrad.store.manifest import Parent, fingerprint
from voxgrad.store.store import Store
from voxgrad.voice.load import find_lexicon, find_vocoder, require_torch

SUFFIX = ".onnx"


def export_onnx(
    store: Store, voice: Artifact, vocoder: str | None, target: Path, spec: OnnxSpec, emit: Emit
) -> Artifact:
    """Writes a voice with its vocoder as one graph, which is checked against torch; returns the graph's artifact.

    Args:
        store: where the voice is, and where the graph is kept.
        voice: a voice or a base; or a graph, which is written as it is.
        vocoder: a reference; None: the newest that fits.
        target: a name in .onnx, or a folder, in which tokens and pronunciations lie beside the graph.
        spec: sampler, steps and quantisation.
        emit: called with progress events.

    Raises:
        BadInputError: the voice cannot become a graph, or the target cannot be written.
        EnvironmentFailureError: the disk refuses.
    """
    single = target.suffix == SUFFIX
    if not single:
        check_folder(target)
    elif target.is_dir() or not target.parent.is_dir():
        raise BadInputError(f"{target} is not a path for a file", "Choose a file in an existing folder.")
    graph = voice
    if voice.kind != KIND:
        require_torch()
        from voxgrad.onnx.derive import graph_of  # noqa: PLC0415 - it needs torch

        graph = graph_of(store, voice, find_vocoder(store, vocoder, voice, emit), spec, emit)
    content = graph.path(MODEL).read_bytes()
    if single:
        with atomic_write(target) as temporary:
            temporary.write_bytes(content)
    else:
        words = find_lexicon(store, graph)
        write_folder(target, graph_files(content, described(content)[0], words))
    return graph


def export_sherpa(
    store: Store, voice: Artifact, vocoder: str | None, target: Path, spec: OnnxSpec, speaker: str | None, emit: Emit
) -> int:
    """Writes the folder that sherpa-onnx loads as a VITS model; returns the model's bytes.

    Args:
        store: where the voice is.
        voice: a voice or a base.
        vocoder: a reference; None: the newest that fits.
        target: a folder, which must not exist.
        spec: sampler, steps and quantisation.
        speaker: of a base; None: its default.
        emit: called with progress events.

    Raises:
        BadInputError: the voice cannot become a graph, or the target cannot be written.
        EnvironmentFailureError: the disk refuses.
    """
    check_folder(target)
    if voice.kind == KIND:
        raise BadInputError(
            f"{voice} has inputs that sherpa-onnx does not support", "Use the voice that it was made from."
        )
    require_torch()
    from voxgrad.onnx.derive import describe, loaded  # noqa: PLC0415 - they need torch
    from voxgrad.onnx.export import exported_for_sherpa, speech_graph  # noqa: PLC0415

    sound = find_vocoder(store, vocoder, voice, emit)
    acoustic, model = loaded(voice, sound)
    assert sound is not None  # noqa: S101 - `loaded` refuses it
    emit(Said(f"making the graph of {voice.ref} for sherpa-onnx"))
    description = describe(voice, sound, acoustic, spec)
    graph = speech_graph(acoustic, model, spec)
    content = exported_for_sherpa(graph, spec, description, acoustic.spec.row_of(speaker))
    words = find_lexicon(store, voice)
    write_folder(target, sherpa_files(content, description, words))
    return len(content)


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
