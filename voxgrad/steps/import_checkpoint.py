"""Official checkpoints → a base or a vocoder of ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from voxgrad.acoustic_model import AcousticModel
from voxgrad.errors import BadInputError
from voxgrad.files import sha256_of
from voxgrad.model.checkpoint import build_strict
from voxgrad.model.gradtts import GradTTS
from voxgrad.model.untrusted import read_untrusted_checkpoint
from voxgrad.presets import validated
from voxgrad.settings import AcousticSpec, MelSpec, ModelSpec, TextSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.text.tokens import VOCABULARY_SIZE
from voxgrad.vocoder.hifigan import import_checkpoint
from voxgrad.vocoder.registry import save

VERSION = 1
_TOOLS = {"torch": torch.__version__}


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

    Sizes follow from the shapes, and from the vocabulary's whether there is a blank between tokens. What no
    shape tells is asked for: a wrong ``pe_scale`` or front end loads and sounds wrong.

    Args:
        store: where the base goes.
        file: the checkpoint.
        name: of the base.
        pe_scale: scale of the time embedding, 1 for the oldest checkpoint (``grad-tts-old``), else 1000.
        frontend: that its tokens come from.
        licence: of the weights.

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
    key = fingerprint("import", VERSION, settings, {}, {"name": name, "licence": licence})
    if (known := store.matching("base", key)) is not None:
        return known
    with store.stage("base", name) as staged:
        AcousticModel(model, acoustic).write(staged.directory)
        return staged.publish(fingerprint=key, settings=settings, tools=_TOOLS, licence=licence)


def import_vocoder(store: Store, file: Path, config: Path, *, name: str, licence: str | None) -> Artifact:
    """Imports an official HiFi-GAN generator as a vocoder, its weight norm folded.

    Args:
        store: where the vocoder goes.
        file: the checkpoint.
        config: the ``config.json`` it was trained with.
        name: of the vocoder.
        licence: of the weights.

    Raises:
        BadInputError: they are not a generator and its config.
    """
    vocoder = import_checkpoint(file, config)
    settings = {
        "spec": vocoder.spec.model_dump(mode="json"),
        "mel": vocoder.mel.model_dump(),
        "imported": _origin(file),
    }
    key = fingerprint("import", VERSION, settings, {}, {"name": name, "licence": licence})
    if (known := store.matching("vocoder", key)) is not None:
        return known
    with store.stage("vocoder", name) as staged:
        save(vocoder, staged.directory)
        return staged.publish(fingerprint=key, settings=settings, tools=_TOOLS, licence=licence)


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
