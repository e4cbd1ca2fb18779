"""A dataset, and perhaps a vocoder → a vocoder."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from voxgrad.device import pick_device, precision_name
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said, ignore
from voxgrad.settings import VocoderPreset, VocoderTrainSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.training.distributed import open_process_group
from voxgrad.training.run_record import RunRequest
from voxgrad.training.time_budget import fit_to_budget, settings_for_budget
from voxgrad.training.trainer import Trainer
from voxgrad.training.training_log import LOG, TrainingLog, tensorboard_writer
from voxgrad.training.training_run import (
    CURVES,
    NO_OPTIONS,
    Dataset,
    RunOptions,
    budget_settings,
    published_by_main_process,
    run_metrics,
    write_record,
)
from voxgrad.training.vocoder_data import AudioClips, augmented_copies, read_clips
from voxgrad.training.vocoder_task import VocoderTask
from voxgrad.vocoder.istft_vocoder import ISTFTVocoder
from voxgrad.vocoder.load import save
from voxgrad.vocoder.selection import load_vocoder

STEP, VERSION = "vocoder train", 2


def train_vocoder(
    store: Store,
    dataset: Artifact,
    start: Artifact | None,
    *,
    name: str,
    preset: VocoderPreset,
    half: bool,
    emit: Emit,
    options: RunOptions = NO_OPTIONS,
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
        options: a budget, TensorBoard.

    Raises:
        BadInputError: too few clips, or ``start`` cannot be trained speaks another mel, or the budget is too small.
        DivergedError: a number was not finite.
    """
    opened = Dataset.open(dataset)
    vocoder = _vocoder(start, opened, preset)
    parents = {"dataset": dataset, **({"start": start} if start is not None else {})}
    work = RunRequest(STEP, VERSION, "vocoder", name, parents, {"half_precision": half})
    if options.budget is not None:

        def fit(preset: VocoderPreset, seconds: float) -> VocoderPreset:
            return fit_to_budget(lambda s, run: _task(vocoder, opened, s, run, emit), preset, seconds, emit)

        preset, ask = settings_for_budget(store, work, preset, options.budget, fit)
        options = replace(options, ask=ask)
    settings = {
        "spec": vocoder.spec.model_dump(mode="json"),
        "mel": vocoder.mel.model_dump(),
        "training": preset.model_dump(mode="json", include=set(VocoderTrainSpec.model_fields)),
        "half_precision": half,
    }
    key = work.key(settings)
    if (known := store.matching("vocoder", key)) is not None:
        emit(Said(f"nothing changed since {known.ref}"))
        return known
    board = tensorboard_writer(options.tensorboard)
    run = work.run_directory(store, key)
    task = _task(vocoder, opened, preset, run, emit)
    engine = Trainer(task, preset, run, emit)
    write_record(engine, work.record(store, run, preset, options.ask), board)
    clips = {"clips": len(task.sounds) // (1 + preset.copies), "held_out_clips": len(task.held_out)}
    metrics = run_metrics(engine, engine.train()) | clips
    settings |= {**budget_settings(options.ask), "preset": preset.description}
    with task.group.main_process_first():
        if task.group.is_main_process:
            return _published(store, work, key, vocoder, engine, settings, metrics)
    return published_by_main_process(store, work.kind, key)


def _published(
    store: Store,
    work: RunRequest,
    key: str,
    vocoder: ISTFTVocoder,
    engine: Trainer,
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Artifact:
    log, device = TrainingLog(engine.run / LOG), pick_device()
    source = work.parents["dataset"].manifest
    with store.stage(work.kind, work.name) as staged:
        vocoder.network.to("cpu")
        save(vocoder, staged.directory, torch.float16 if settings["half_precision"] else None)
        shutil.copyfile(log.path, staged.directory / LOG)
        log.draw(staged.directory / CURVES, f"vocoder {work.name}")
        artifact = staged.publish(
            fingerprint=key,
            parents={role: parent.as_parent() for role, parent in work.parents.items()},
            settings=settings,
            seed=engine.settings.seed,
            device=f"{device.type} {precision_name(device, engine.settings)}, {torch.get_num_threads()} threads",
            tools={"torch": torch.__version__},
            metrics={**metrics, "steps": engine.total, "seconds": round(log.seconds(), 1)},
            consent=source.consent,
            licence=source.licence,
        )
    shutil.rmtree(engine.run, ignore_errors=True)  # everything of it now lives in the artifact
    return artifact


def _task(
    vocoder: ISTFTVocoder, dataset: Dataset, preset: VocoderPreset, run: Path, emit: Emit
) -> VocoderTask:
    group = open_process_group()
    with group.main_process_first():  # which makes the copies
        sounds, held_out = _sounds(dataset, preset, run, emit if group.is_main_process else ignore)
    torch.manual_seed(preset.seed)  # discriminators are drawn from torch's own generator
    return VocoderTask(vocoder, sounds, _clips(held_out), preset, pick_device(), group)


def _vocoder(start: Artifact | None, dataset: Dataset, preset: VocoderPreset) -> ISTFTVocoder:
    if start is None:
        torch.manual_seed(preset.seed)  # initial weights are drawn from torch's own generator
        return ISTFTVocoder.build(preset.model, dataset.mel)
    vocoder = load_vocoder(start, dataset.mel, str(dataset.artifact))
    if not isinstance(vocoder, ISTFTVocoder):
        raise BadInputError(
            f"{start} is a {vocoder.name}, which cannot be trained here",
            "Go on from a vocoder of the kind istft, or start from nothing.",
        )
    return vocoder


def _sounds(dataset: Dataset, preset: VocoderPreset, run: Path, emit: Emit) -> tuple[AudioClips, AudioClips]:
    """Training sounds with their copies, and those that are held out."""
    rate = dataset.mel.sample_rate
    training, held_out = (
        read_clips([dataset.artifact.path(f"audio/{clip.id}.flac") for clip in corpus.clips], rate)
        for corpus in dataset.corpus.divide(preset.held_out)
    )
    if not len(training):
        raise BadInputError("no clip is left to train on", "Prepare more recordings, or lower held_out.")
    if preset.copies:
        run.mkdir(parents=True, exist_ok=True)
        training = training.joined(
            augmented_copies(training, preset.copies, preset.seed, run / "copies.npz", emit)
        )
    return training, held_out


def _clips(sounds: AudioClips) -> list[torch.Tensor]:
    return [torch.from_numpy(sounds.clip(index)) for index in range(len(sounds))]
