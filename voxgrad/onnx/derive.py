"""A voice and a vocoder → their graph in the store, made once."""

import shutil
from importlib.metadata import version

import torch

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.events import Advanced, Began, Emit, Ended, Said
from voxgrad.onnx.artifact import KIND, MODEL, find_graph, graph_key, graph_parents
from voxgrad.onnx.export import agreement, exported, require_exportable, speech_graph
from voxgrad.onnx.model_file import GraphDescription
from voxgrad.onnx.runtime import require_onnx
from voxgrad.settings import OnnxSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.maintenance import move_to_trash
from voxgrad.store.store import Store
from voxgrad.text.lexicon import LEXICON
from voxgrad.vocoder.registry import Vocoder, load_vocoder

_TASK = "export"


def graph_of(store: Store, voice: Artifact, vocoder: Artifact | None, spec: OnnxSpec, emit: Emit) -> Artifact:
    """The graph of a voice, found or made.

    Args:
        store: where it goes.
        voice: a voice or a base.
        vocoder: None, which is Griffin-Lim, is refused.
        spec: sampler, steps, quantisation.
        emit: called with progress events.

    Raises:
        BadInputError: it cannot become a graph; the message says why.
    """
    if vocoder is not None and (known := find_graph(store, voice, vocoder, spec)) is not None:
        return known
    require_onnx()
    acoustic, sound = loaded(voice, vocoder)
    assert vocoder is not None  # noqa: S101 - `loaded` refuses it
    emit(Said(f"making the ONNX graph of {voice.ref}, once"))
    emit(Began(_TASK, 2, "parts"))
    with store.stage(KIND, voice.name) as staged:
        path = staged.directory / MODEL
        path.write_bytes(
            exported(speech_graph(acoustic, sound, spec), spec, describe(voice, vocoder, acoustic, spec))
        )
        emit(Advanced(_TASK, 1))
        found = agreement(acoustic, sound, spec, path)
        emit(Advanced(_TASK, 2))
        emit(Ended(_TASK))
        if any(file.path == LEXICON for file in voice.manifest.files):
            shutil.copyfile(voice.path(LEXICON), staged.directory / LEXICON)
        graph = staged.publish(
            fingerprint=graph_key(voice, vocoder, spec),
            parents=graph_parents(voice, vocoder),
            settings={
                "acoustic": acoustic.spec.model_dump(),
                "onnx": spec.model_dump(),
                "kind": voice.kind,
                "pitch": mean_pitches(acoustic),
            },
            tools={"torch": torch.__version__, "onnxruntime": version("onnxruntime")},
            metrics={"against_torch": found.rounded()},
            consent=voice.manifest.consent,
            licence=voice.manifest.licence,
        )
    for old in _superseded(store, graph):
        move_to_trash(store, old)
    return graph


def _superseded(store: Store, graph: Artifact) -> list[Artifact]:
    """Graphs that an older version of the export made of the same."""
    return [
        one
        for one in store.list(KIND)
        if not one.embedded
        and one.digest != graph.digest
        and "imported" not in one.manifest.settings
        and one.manifest.parents == graph.manifest.parents
        and one.manifest.settings.get("onnx") == graph.manifest.settings["onnx"]
    ]


def loaded(voice: Artifact, vocoder: Artifact | None) -> tuple[AcousticModel, Vocoder]:
    """Both, if they can become a graph.

    Raises:
        BadInputError: they cannot, or do not fit.
    """
    acoustic = load_acoustic_model(voice)
    sound = load_vocoder(vocoder, acoustic.spec.mel, str(voice))
    require_exportable(acoustic, sound, "vocoder Griffin-Lim" if vocoder is None else str(vocoder))
    return acoustic, sound


def describe(voice: Artifact, vocoder: Artifact, acoustic: AcousticModel, spec: OnnxSpec) -> GraphDescription:
    """What a graph says of itself."""
    lineage = {**graph_parents(voice, vocoder), **voice.manifest.parents}
    return GraphDescription(
        acoustic=acoustic.spec,
        spec=spec,
        name=voice.name,
        kind=voice.kind,
        lineage={role: {"ref": one.ref, "digest": one.digest} for role, one in lineage.items()},
        consent=voice.manifest.consent,
        licence=voice.manifest.licence,
        pitch=mean_pitches(acoustic),
    )


def mean_pitches(acoustic: AcousticModel) -> tuple[float, ...]:
    """Hz of every speaker, by row."""
    prior = acoustic.model.frame_prior
    if prior is None:
        raise ValueError("a model that predicts no pitch is refused before")
    return tuple(round(one, 3) for one in prior.pitch_statistics[:, 0].exp().tolist())
