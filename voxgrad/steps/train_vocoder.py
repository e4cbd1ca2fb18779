"""A dataset, and perhaps a vocoder → a vocoder."""

import json
import shutil
from pathlib import Path

import torch

from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.specs import VocoderPreset, VocoderTrainSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.training.device import pick_device, precision_name
from voxgrad.training.engine import LOG, Engine
from voxgrad.training.run import Dataset, draw_log
from voxgrad.training.sounds import Sounds, copies_of, read_sounds
from voxgrad.training.vocoder import VocoderTask
from voxgrad.vocoder.istft import ISTFT
from voxgrad.vocoder.load import save
from voxgrad.vocoder.resolve import ready

VERSION = 1


def train_vocoder(
    store: Store,
    dataset: Artifact,
    start: Artifact | None,
    *,
    name: str,
    preset: VocoderPreset,
    half: bool,
    emit: Emit,
) -> Artifact:
    """Trains a vocoder, or finds the one that the same work made before.

    Args:
        store: where the vocoder goes.
        dataset: whose sound it learns from; a tenth of the sentences are held out.
        start: the vocoder to go on from; None: from nothing.
        name: of the vocoder.
        preset: model and training; the model is that of ``start`` where there is one.
        half: store the weights in half precision.
        emit: told of progress.

    Raises:
        BadInputError: too few clips, or ``start`` cannot be trained or speaks another mel.
        DivergedError: a number was not finite.
    """
    opened = Dataset.open(dataset)
    vocoder = _vocoder(start, opened, preset)
    parents = {"dataset": dataset, **({"start": start} if start is not None else {})}
    known_by = {role: parent.as_parent() for role, parent in parents.items()}
    settings = {
        "spec": vocoder.spec.model_dump(mode="json"),
        "mel": vocoder.mel.model_dump(),
        "training": preset.model_dump(mode="json", include=set(VocoderTrainSpec.model_fields)),
        "half_precision": half,
    }
    key = fingerprint("vocoder train", VERSION, settings, known_by, {"name": name})
    if (known := store.matching("vocoder", key)) is not None:
        emit(Said(f"nothing changed since {known.ref}"))
        return known
    run = store.run_directory(f"{name}-{key[:8]}")
    device = pick_device()
    sounds, held_out = _sounds(opened, preset, run, emit)
    engine = Engine(VocoderTask(vocoder, sounds, _clips(held_out), preset, device), preset, run, emit)
    try:
        figures = engine.train()
    except KeyboardInterrupt:
        emit(Said("stopped: the same command goes on from the last checkpoint", "warning"))
        raise
    with store.stage("vocoder", name) as draft:
        vocoder.network.to("cpu")
        save(vocoder, draft.directory, torch.float16 if half else None)
        shutil.copyfile(run / LOG, draft.directory / LOG)
        draw_log(draft.directory / "curves.png", run / LOG, f"vocoder {name}")
        artifact = draft.publish(
            fingerprint=key,
            parents=known_by,
            settings={**settings, "preset": preset.description},
            seed=preset.seed,
            device=f"{device.type} {precision_name(device, preset)}, {torch.get_num_threads()} threads",
            tools={"torch": torch.__version__},
            metrics={
                "held_out": {figure: round(value, 5) for figure, value in figures.items()},
                "steps": engine.total,
                "seconds": round(_seconds(run / LOG), 1),
                "clips": len(sounds) // (1 + preset.copies),
                "held_out_clips": len(held_out),
            },
            consent=dataset.manifest.consent,
            licence=dataset.manifest.licence,
        )
    shutil.rmtree(run, ignore_errors=True)  # everything of it now lives in the artifact
    return artifact


def _vocoder(start: Artifact | None, dataset: Dataset, preset: VocoderPreset) -> ISTFT:
    if start is None:
        torch.manual_seed(preset.seed)  # initial weights are drawn from torch's own generator
        return ISTFT.build(preset.model, dataset.mel)
    vocoder = ready(start, dataset.mel, str(dataset.artifact))
    if not isinstance(vocoder, ISTFT):
        raise BadInputError(
            f"{start} is a {vocoder.name}, which cannot be trained here",
            "Go on from a vocoder of the kind istft, or start from nothing.",
        )
    return vocoder


def _sounds(dataset: Dataset, preset: VocoderPreset, run: Path, emit: Emit) -> tuple[Sounds, Sounds]:
    """Training sounds with their copies, and those that are held out."""
    rate = dataset.mel.sample_rate
    training, held_out = (
        read_sounds([dataset.artifact.path(f"audio/{clip.id}.flac") for clip in corpus.clips], rate)
        for corpus in dataset.corpus.divide(preset.held_out)
    )
    if not len(training):
        raise BadInputError("no clip is left to train on", "Prepare more recordings, or lower held_out.")
    if preset.copies:
        run.mkdir(parents=True, exist_ok=True)
        training = training.joined(copies_of(training, preset.copies, preset.seed, run / "copies.npz", emit))
    return training, held_out


def _clips(sounds: Sounds) -> list[torch.Tensor]:
    return [torch.from_numpy(sounds.clip(index)) for index in range(len(sounds))]


def _seconds(log: Path) -> float:
    entries = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return float(sum(entry.get("seconds", 0.0) for entry in entries))
