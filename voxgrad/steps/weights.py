"""Import of official checkpoints and exported folders, export of weights; weights in half precision and differences."""

import json
import shutil
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.files import atomic_folder, check_folder, sha256_of
from voxgrad.model.checkpoint import build_strict, read_weights, save_weights
from voxgrad.model.gradtts import GradTTS
from voxgrad.model.untrusted import read_untrusted_checkpoint
from voxgrad.packing import DIFFERENCE, WEIGHTS, Packed, Weights, difference
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, TextSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import Identified, fingerprint
from voxgrad.store.store import Store
from voxgrad.text.symbols import VOCABULARY_SIZE
from voxgrad.training.run import LOG
from voxgrad.vocoder import registry
from voxgrad.vocoder.hifigan import import_checkpoint
from voxgrad.weights import base_of, weights_of

IMPORT_VERSION, HALVE_VERSION, SHRINK_VERSION = 1, 1, 1
_CONFIG, _MODEL = "config.json", "model.safetensors"  # of an exported folder
_HALVED: Final = "half_precision"
_OFFICIAL: Final = (
    *("n_vocab", "n_spks", "spk_emb_dim", "n_enc_channels", "filter_channels", "filter_channels_dp", "n_heads"),
    *("n_enc_layers", "enc_kernel", "enc_dropout", "window_size", "n_feats", "dec_dim"),
    *("beta_min", "beta_max", "pe_scale"),
)
"""Arguments of the official ``GradTTS``, in their order; the settings have the same names."""


def _imported(
    store: Store,
    kind: str,
    name: str,
    settings: Mapping[str, Any],
    write: Callable[[Path], object],
    *,
    inputs: Mapping[str, Any],
    consent: str | None = None,
) -> Artifact:
    """What the same import made before, or else what ``write`` puts into a directory."""
    key = fingerprint("import", IMPORT_VERSION, settings, {}, {"name": name, **inputs})
    if (known := store.matching(kind, key)) is not None:
        return known
    with store.stage(kind, name) as staged:
        write(staged.directory)
        return staged.publish(
            fingerprint=key,
            settings=settings,
            tools={"torch": torch.__version__},
            consent=consent,
            licence=inputs["licence"],
        )


def import_base(
    store: Store,
    file: Path,
    *,
    name: str,
    pe_scale: Literal[1, 1000],
    frontend: Literal["voxgrad", "official"],
    licence: str | None,
) -> Artifact:
    """Imports an official Grad-TTS checkpoint as a base.

    Sizes follow from the shapes, and from the vocabulary's whether there is a blank between tokens. What no shape
    tells is asked for, since a wrong one loads and sounds wrong: ``pe_scale``, the scale of the time embedding (1 for
    the oldest checkpoint, ``grad-tts-old``), and the front end that its tokens come from.

    Raises:
        BadInputError: it is not a Grad-TTS checkpoint, or not all of one.
    """
    state = read_untrusted_checkpoint(file)
    spec = _spec(state, file, pe_scale)
    speakers = {f"speaker-{row}": row for row in range(spec.n_spks)}
    acoustic = AcousticSpec(
        model=spec,
        mel=MelSpec(n_mels=spec.n_feats),
        text=TextSpec(frontend=frontend, add_blank=spec.n_vocab == VOCABULARY_SIZE),
        speakers=speakers,
        voice="speaker-0",
    )
    model = build_strict(lambda: GradTTS(spec), state, file.name)
    settings = {"acoustic": acoustic.model_dump(), "imported": _origin(file)}
    write = AcousticModel(model, acoustic).write
    return _imported(store, "base", name, settings, write, inputs={"licence": licence})


def import_vocoder(store: Store, file: Path, config: Path, *, name: str, licence: str | None) -> Artifact:
    """Imports an official HiFi-GAN generator, with its ``config.json``, as a vocoder; its weight norm is folded.

    Raises:
        BadInputError: they are not a generator and its config.
    """
    vocoder = import_checkpoint(file, config)
    settings = {
        "spec": vocoder.spec.model_dump(mode="json"),
        "mel": vocoder.mel.model_dump(),
        "imported": _origin(file),
    }
    write = partial(registry.save, vocoder)
    return _imported(store, "vocoder", name, settings, write, inputs={"licence": licence})


def _spec(state: Mapping[str, Any], file: Path, pe_scale: Literal[1, 1000]) -> ModelSpec:
    def shape(name: str, dimensions: int) -> torch.Size:
        tensor = state.get(name)
        if not isinstance(tensor, Tensor) or tensor.dim() != dimensions or not tensor.numel():
            raise BadInputError(
                f"{file.name} is not a Grad-TTS checkpoint: it has no {name} of {dimensions} dimensions",
                "Give one of the official checkpoints, or use --kind vocoder for a HiFi-GAN.",
            )
        return tensor.shape

    relative = shape("encoder.encoder.attn_layers.0.emb_rel_k", 3)
    vocabulary, channels = shape("encoder.emb.weight", 2)
    inner, _, kernel = shape("encoder.encoder.ffn_layers.0.conv_1.weight", 3)
    attended = shape("encoder.encoder.attn_layers.0.conv_q.weight", 3)[0]
    speakers = shape("spk_emb.weight", 2) if "spk_emb.weight" in state else torch.Size((1, 64))
    if vocabulary not in {VOCABULARY_SIZE, VOCABULARY_SIZE - 1}:
        raise BadInputError(
            f"{file.name} has {vocabulary} tokens; the official English table has {VOCABULARY_SIZE}",
            "Give a checkpoint that was trained with the official symbols.",
        )
    sizes = {
        "n_vocab": vocabulary,
        "n_spks": speakers[0],
        "spk_emb_dim": speakers[1],
        "n_enc_channels": channels,
        "filter_channels": inner,
        "filter_channels_dp": shape("encoder.proj_w.conv_1.weight", 3)[0],
        "n_heads": attended // relative[2],
        "n_enc_layers": sum(name.endswith(".conv_q.weight") for name in state),
        "enc_kernel": kernel,
        "window_size": (relative[1] - 1) // 2,
        "n_feats": shape("encoder.proj_m.weight", 3)[0],
        "dec_dim": shape("decoder.estimator.final_conv.weight", 4)[1],
        "pe_scale": pe_scale,
        "condition_encoder": attended != channels,
    }
    return validated(ModelSpec, sizes, file.name)


def _origin(file: Path) -> dict[str, str]:
    return {"file": file.name, "sha256": sha256_of(file)}


def export_weights(voice: Artifact, folder: Path) -> None:
    """Writes the weights under their official names, and the settings.

    ``config.json`` has the arguments of the official ``GradTTS`` under ``official``, or null there where the voice has
    a network that the official code does not know.

    Raises:
        BadInputError: the voice is a graph, or the folder cannot be written.
        EnvironmentFailureError: the disk is full or cannot be written.
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
    with atomic_folder(folder) as staged:
        save_file(state, staged / _MODEL, {"format": "pt"})
        (staged / _CONFIG).write_bytes(content)


def import_weights(store: Store, folder: Path, *, name: str) -> Artifact:
    """Imports what `export_weights` wrote as a base, which speaks and can be fine-tuned.

    Raises:
        BadInputError: the folder holds no such weights, or not all of them.
    """
    hint = "Name a folder that `voxgrad export --format safetensors` wrote."
    for needed in (_CONFIG, _MODEL):
        if not (folder / needed).is_file():
            raise BadInputError(f"{folder} holds no {needed}", hint)
    try:
        config: Any = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        state = load_file(folder / _MODEL)
    except Exception as error:  # safetensors' errors are of a class of their own
        raise BadInputError(f"{folder} holds no weights that can be read ({error})", hint) from error
    if not isinstance(config, dict) or not isinstance(config.get("acoustic"), dict):
        raise BadInputError(f"{folder / _CONFIG} does not describe the model", hint)
    spec = validated(AcousticSpec, config["acoustic"], str(folder / _CONFIG))
    model = build_strict(lambda: GradTTS(spec.model), state, str(folder))
    settings = {"acoustic": spec.model_dump(), "imported": {"digest": str(config.get("digest"))}}
    consent, licence = (None if config.get(key) is None else str(config[key]) for key in ("consent", "licence"))
    inputs = {"folder": True, "consent": consent, "licence": licence}
    write = AcousticModel(model, spec).write
    return _imported(store, "base", name, settings, write, inputs=inputs, consent=consent)


def halve_weights(store: Store, artifact: Artifact, emit: Emit) -> Artifact:
    """Stores the weights of an artifact as float16, as its next version, or finds the one that was made before.

    Everything else stays: files, settings, metrics, parents, consent and licence. When loaded, the weights are
    float32 again.

    Raises:
        BadInputError: it has no weights, or one of them is too large for half precision.
        IntegrityError: it is damaged.
    """
    if not _has(artifact, WEIGHTS):
        raise BadInputError(f"{artifact} has no weights of its own", "Name a base, a voice or a vocoder.")
    packed = any(isinstance(weights, Packed) for weights in Weights(artifact.path(WEIGHTS)).values())
    if packed or artifact.manifest.settings.get(_HALVED) is True:
        emit(Said(f"the weights of {artifact.ref} are already in half precision"))
        return artifact

    def write(directory: Path) -> None:
        weights = read_weights(artifact.path(WEIGHTS))
        for name, tensor in weights.items():
            if not tensor.half().isfinite().all():
                message = f"{name} of {artifact.ref} is too large for half precision"
                raise BadInputError(message, "Export it without --half.")
        save_weights(directory / WEIGHTS, weights, torch.float16)

    left_out = {WEIGHTS}
    return _derived(store, artifact, ("halve weights", HALVE_VERSION), {_HALVED: True}, write, left_out)


def shrink(store: Store, voice: Artifact, emit: Emit) -> Artifact:
    """Stores a voice as the difference from its base, as its next version, or finds the one that was made before.

    It needs the base to speak, and has no pictures and no log; everything else stays.

    Raises:
        BadInputError: it was not made from a base, or has other weights than that; or the base is not in the store.
        IntegrityError: it is damaged.
    """
    if voice.kind != "voice" or "base" not in voice.manifest.parents:
        raise BadInputError(f"{voice} was not made from a base", "Name a voice that `voxgrad finetune` made.")
    if _has(voice, DIFFERENCE):
        emit(Said(f"{voice.ref} is already the difference from its base"))
        return voice
    base, weights = weights_of(base_of(voice)), weights_of(voice)
    if {*base} != {*weights}:
        raise BadInputError(f"{voice} has other weights than its base", "Export it without --small.")
    left_out = {WEIGHTS, *(file.path for file in voice.manifest.files if file.path.endswith((".png", ".svg", LOG)))}

    def write(directory: Path) -> None:
        save_numpy(difference(weights, base), directory / DIFFERENCE)

    return _derived(store, voice, ("shrink", SHRINK_VERSION), {}, write, left_out)


def _has(artifact: Artifact, path: str) -> bool:
    return any(file.path == path for file in artifact.manifest.files)


def _derived(
    store: Store,
    artifact: Artifact,
    step: tuple[str, int],
    settings: Mapping[str, Any],
    write: Callable[[Path], object],
    left_out: Collection[str],
) -> Artifact:
    """The next version of an artifact, or the one that was made before: with what ``write`` puts into a directory."""
    key = fingerprint(*step, {}, {"source": artifact}, {})
    if (known := store.matching(artifact.kind, key)) is not None:
        return known
    manifest = artifact.manifest
    with store.stage(artifact.kind, artifact.name) as staged:
        for entry in manifest.files:
            if entry.path not in left_out:
                target = staged.directory / entry.path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(artifact.path(entry.path), target)
        write(staged.directory)
        parents: dict[str, Identified] = {**manifest.parents, "source": artifact}
        return staged.publish(
            fingerprint=key,
            parents=parents,
            settings={**manifest.settings, **settings},
            seed=manifest.seed,
            device=manifest.device,
            tools={"torch": torch.__version__},
            metrics=manifest.metrics,
            consent=manifest.consent,
            licence=manifest.licence,
        )
