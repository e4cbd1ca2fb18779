"""Weights in a folder that other programs read, and weights in half precision."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save, save_file

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.model.checkpoint import build_strict, read_weights
from voxgrad.model.gradtts import GradTTS
from voxgrad.onnx.file import check_folder, write_folder
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import Identified, fingerprint
from voxgrad.store.store import Store

VERSION = 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"
_OFFICIAL: Final = (
    *("n_vocab", "n_spks", "spk_emb_dim", "n_enc_channels", "filter_channels", "filter_channels_dp", "n_heads"),
    *("n_enc_layers", "enc_kernel", "enc_dropout", "window_size", "n_feats", "dec_dim"),
    *("beta_min", "beta_max", "pe_scale"),
)
"""Arguments of the official ``GradTTS``, in their order; the settings have the same names."""


def export_weights(voice: Artifact, folder: Path) -> None:
    """Writes the weights under their official names, and the settings.

    ``config.json`` has the arguments of the official ``GradTTS`` under ``official``, or null there where the voice has
    a network that the official code does not know.

    Args:
        voice: a voice or a base.
        folder: which must not exist.

    Raises:
        BadInputError: the voice is a graph, or the folder cannot be written.
        EnvironmentFailureError: the disk refuses.
    """
    check_folder(folder)
    if voice.kind not in {"voice", "base"}:
        raise BadInputError(f"{voice} has no weights", "Use the voice that it was made from.")
    acoustic = load_acoustic_model(voice)
    model = acoustic.spec.model
    official = model.decoder == "unet" and not model.condition_encoder
    config = {
        "model_type": "grad-tts",
        "official": {name: getattr(model, name) for name in _OFFICIAL} if official else None,
        "acoustic": acoustic.spec.model_dump(),
        "name": voice.name,
        "kind": voice.kind,
        "digest": voice.digest,
        "consent": voice.manifest.consent,
        "licence": voice.manifest.licence,
    }
    state = {name: value.contiguous() for name, value in acoustic.model.state_dict().items()}
    content = (json.dumps(config, indent=1, sort_keys=True) + "\n").encode()
    write_folder(folder, {WEIGHTS: save(state, {"format": "pt"}), CONFIG: content})


def import_weights(store: Store, folder: Path, *, name: str) -> Artifact:
    """Imports what `export_weights` wrote as a base, which speaks and can be fine-tuned.

    Args:
        store: where it goes.
        folder: with ``config.json`` and ``model.safetensors``.
        name: of the base.

    Raises:
        BadInputError: the folder holds no such weights, or not all of them.
    """
    hint = "Name a folder that `voxgrad export --format safetensors` wrote."
    for needed in (CONFIG, WEIGHTS):
        if not (folder / needed).is_file():
            raise BadInputError(f"{folder} holds no {needed}", hint)
    try:
        config: Any = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        state = load_file(folder / WEIGHTS)
    except Exception as error:  # safetensors' errors are of a class of their own
        raise BadInputError(f"{folder} holds no weights that can be read ({error})", hint) from error
    if not isinstance(config, dict) or not isinstance(config.get("acoustic"), dict):
        raise BadInputError(f"{folder / CONFIG} does not describe the model", hint)
    spec = validated(AcousticSpec, config["acoustic"], str(folder / CONFIG))
    model = build_strict(lambda: GradTTS(spec.model), state, str(folder))
    settings = {"acoustic": spec.model_dump(), "imported": {"digest": str(config.get("digest"))}}
    consent, licence = (None if config.get(key) is None else str(config[key]) for key in ("consent", "licence"))
    inputs = {"name": name, "folder": True, "consent": consent, "licence": licence}
    key = fingerprint("import", VERSION, settings, {}, inputs)
    if (known := store.matching("base", key)) is not None:
        return known
    with store.stage("base", name) as staged:
        AcousticModel(model, spec).write(staged.directory)
        return staged.publish(fingerprint=key, settings=settings, consent=consent, licence=licence)


STEP, _HALVE_VERSION = "halve weights", 1
_KINDS: Final = ("base", "voice", "vocoder")
_WEIGHTS: Final = "weights.safetensors"
_HALVED: Final = "half_precision"


def halve_weights(store: Store, artifact: Artifact, emit: Emit) -> Artifact:
    """Stores the weights of an artifact as float16, as its next version, or finds the one that was made before.

    Everything else stays: files, settings, metrics, parents, consent and licence. When loaded, the weights are
    float32 again.

    Args:
        store: where the artifact goes.
        artifact: a base, a voice or a vocoder.
        emit: called with a remark where nothing needs to be done.

    Raises:
        BadInputError: it has no weights, or one of them is too large for half precision.
        IntegrityError: it is damaged.
    """
    if artifact.kind not in _KINDS or not any(file.path == _WEIGHTS for file in artifact.manifest.files):
        raise BadInputError(f"{artifact} has no weights", "Name a base, a voice or a vocoder.")
    if artifact.manifest.settings.get(_HALVED) is True:
        emit(Said(f"the weights of {artifact.ref} are already in half precision"))
        return artifact
    parents: dict[str, Identified] = {**artifact.manifest.parents, "source": artifact}
    key = fingerprint(STEP, _HALVE_VERSION, {}, {"source": artifact}, {})
    if (known := store.matching(artifact.kind, key)) is not None:
        return known
    weights = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in read_weights(artifact.path(_WEIGHTS)).items()
    }
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise BadInputError(
                f"{name} of {artifact.ref} is too large for half precision", "Export it without --half."
            )
    with store.stage(artifact.kind, artifact.name) as staged:
        for entry in artifact.manifest.files:
            if entry.path != _WEIGHTS:
                target = staged.directory / entry.path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(artifact.path(entry.path), target)
        save_file(weights, staged.directory / _WEIGHTS)
        manifest = artifact.manifest
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings={**manifest.settings, _HALVED: True},
            seed=manifest.seed,
            device=manifest.device,
            tools={"torch": torch.__version__},
            metrics=manifest.metrics,
            consent=manifest.consent,
            licence=manifest.licence,
        )
