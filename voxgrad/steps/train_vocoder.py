"""A dataset, and perhaps a vocoder → a vocoder."""

from pathlib import Path
from typing import Any, cast

import torch

from voxgrad.audio.io import read_audio
from voxgrad.device import pick_device
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said, ignore
from voxgrad.settings import VocoderPreset, VocoderTrainSpec
from voxgrad.settings.model import either
from voxgrad.settings.training import TRAINABLE_VOCODERS
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.training.dataset import ONE_SENTENCE, Dataset
from voxgrad.training.optim import open_process_group
from voxgrad.training.publish import train_and_publish
from voxgrad.training.run import NO_OPTIONS, RunOptions, RunRequest
from voxgrad.training.trainer import Trainer
from voxgrad.training.vocoder import VocoderTask
from voxgrad.training.vocoder_clips import AudioClips, augmented_copies
from voxgrad.vocoder.registry import VOCODERS, TrainableVocoder, load_vocoder, save

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
        dataset: whose audio it learns from; a tenth of the sentences are held out.
        start: the vocoder to go on from; None: from nothing.
        name: of the vocoder.
        preset: model and training; the model is that of ``start`` where there is one.
        half: store the weights in half precision.
        emit: called with progress events.
        options: a budget, TensorBoard.

    Raises:
        BadInputError: too few clips, or ``start`` cannot be trained speaks another mel, or the budget is too small.
        DivergedError: a number was not finite.
    """
    opened = Dataset.open(dataset)
    if opened.corpus.has_one_sentence:
        emit(ONE_SENTENCE)
    vocoder = _vocoder(start, opened, preset)
    parents = {"dataset": dataset, **({"start": start} if start is not None else {})}
    request = RunRequest(STEP, VERSION, "vocoder", name, parents, {"half_precision": half})

    settings = {
        "spec": vocoder.spec.model_dump(mode="json"),
        "mel": vocoder.mel.model_dump(),
        "training": preset.model_dump(mode="json", include=set(VocoderTrainSpec.model_fields)),
        "half_precision": half,
        **options.settings,
    }
    key = request.key(settings)
    if (known := store.matching("vocoder", key)) is not None:
        emit(Said(f"{known.ref} is up to date"))
        return known
    run = request.run_directory(store, key)
    task = _task(vocoder, opened, preset, run, emit)

    def write(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        vocoder.network.to("cpu")
        save(vocoder, directory, torch.float16 if half else None)
        held_out = 0 if opened.corpus.has_one_sentence else len(task.held_out)
        metrics = {"clips": len(task.clips) // (1 + preset.copies), "held_out_clips": held_out}
        return {**settings, "preset": preset.description}, metrics

    return train_and_publish(Trainer(task, preset, run, emit), store, request, key, options, write)


def _task(vocoder: TrainableVocoder, dataset: Dataset, preset: VocoderPreset, run: Path, emit: Emit) -> VocoderTask:
    group = open_process_group()
    with group.main_process_first():  # which makes the copies
        clips, held_out = _training_clips(dataset, preset, run, emit if group.is_main_process else ignore)
    torch.manual_seed(preset.seed)  # discriminators are drawn from torch's own generator
    waveforms = [torch.from_numpy(held_out.clip(index)) for index in range(len(held_out))]
    return VocoderTask(vocoder, clips, waveforms, preset, pick_device(), group)


def _vocoder(start: Artifact | None, dataset: Dataset, preset: VocoderPreset) -> TrainableVocoder:
    if start is None:
        torch.manual_seed(preset.seed)  # initial weights are drawn from torch's own generator
        return cast("TrainableVocoder", VOCODERS[preset.kind].build(preset.model, dataset.mel))
    vocoder = load_vocoder(start, dataset.mel, str(dataset.artifact))
    if vocoder.name not in TRAINABLE_VOCODERS:
        raise BadInputError(
            f"{start} is a {vocoder.name}, which voxgrad cannot train",
            f"Start from a vocoder of the kind {either(list(TRAINABLE_VOCODERS))}, or from scratch.",
        )
    return cast("TrainableVocoder", vocoder)


def _training_clips(dataset: Dataset, preset: VocoderPreset, run: Path, emit: Emit) -> tuple[AudioClips, AudioClips]:
    rate = dataset.mel.sample_rate
    training, held_out = (
        AudioClips.of([read_audio(dataset.artifact.path(f"audio/{clip.id}.flac")) for clip in corpus.clips], rate)
        for corpus in dataset.corpus.divide(preset.held_out)
    )
    if not len(training):
        raise BadInputError("there are no clips to train on", "Prepare more recordings, or lower held_out.")
    if preset.copies:
        run.mkdir(parents=True, exist_ok=True)
        training = training.joined(augmented_copies(training, preset.copies, preset.seed, run / "copies.npz", emit))
    return training, held_out
