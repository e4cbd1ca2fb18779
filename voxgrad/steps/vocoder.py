"""A dataset, and perhaps a vocoder → a vocoder; a recording or a mel → the audio that a vocoder makes of it."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from voxgrad.audio.io import Waveform, read_audio, resample
from voxgrad.audio.mel import ENDINGS, PICKLES, log_mel, read_mel
from voxgrad.device import pick_device
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Advanced, Began, Emit, Ended, ignore
from voxgrad.settings import MelSpec, VocoderPreset, VocoderTrainSpec
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
from voxgrad.vocoder.choice import mel_of
from voxgrad.vocoder.registry import VOCODERS, TrainableVocoder, load_vocoder, save

STEP, VERSION = "vocoder train", 2
_VOCODE = "vocode"


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

    Where it goes on from the vocoder ``start``, it keeps the model of that. ``half`` stores half precision.

    Raises:
        BadInputError: too few clips, or ``start`` cannot be trained or speaks another mel, or the budget is too small.
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
    if (known := store.matching("vocoder", key, emit)) is not None:
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


@dataclass(frozen=True)
class Copy:
    """What became of a recording.

    Attributes:
        waveform: as long as the recording, or ``frames * hop_length`` samples of a mel.
        mel_l1: mean absolute difference of the log-mels that went in and came out.
        real_time_factor: seconds that the vocoder took for a second of sound.
    """

    waveform: Waveform
    mel_l1: float
    real_time_factor: float


def vocode(source: Path, vocoder: Artifact | None, emit: Emit) -> Copy:
    """Copy a recording through a vocoder, so that the vocoder can be judged.

    A recording is read as any other, and resampled to the vocoder's rate; it is neither trimmed nor levelled. Unlike
    other steps this one writes no artifact: a copy judges a vocoder and is no speech, so nothing is made from it. A
    log-mel, as `read_mel` takes it, is copied too; without a vocoder, Griffin-Lim speaks.

    Raises:
        BadInputError: the file cannot be used, or is another mel than the vocoder's.
        IntegrityError: the vocoder is damaged, or gives numbers that are not finite.
    """
    spec = MelSpec() if vocoder is None else mel_of(vocoder)
    mel, spec, samples = _read(source, spec)
    speaker = load_vocoder(vocoder, spec, str(source))
    emit(Began(_VOCODE, mel.shape[1], "frames"))
    with torch.inference_mode():
        started = time.perf_counter()
        audio = speaker(mel[None])[0]
        taken = time.perf_counter() - started
        difference = float((log_mel(audio, spec) - mel).abs().mean())
    emit(Advanced(_VOCODE, mel.shape[1]))
    emit(Ended(_VOCODE))
    if not math.isfinite(difference):
        called = "Griffin-Lim" if vocoder is None else str(vocoder)
        raise IntegrityError(f"{called} produced values that are not finite", "Use another vocoder.")
    waveform = Waveform(audio[:samples].numpy(), spec.sample_rate)
    return Copy(waveform, difference, taken * spec.sample_rate / len(audio))


def _read(source: Path, spec: MelSpec) -> tuple[Tensor, MelSpec, int]:
    """Give the mel (n_mels, frames), what it is, and how many samples to make of it."""
    if source.suffix.lower() in ENDINGS | PICKLES:
        mel, spec = read_mel(source, spec)
        return mel, spec, mel.shape[1] * spec.hop_length
    recording = torch.from_numpy(resample(read_audio(source), spec.sample_rate).samples)
    # What does not fill a frame would have none.
    padded = F.pad(recording, (0, -len(recording) % spec.hop_length))
    return log_mel(padded, spec), spec, len(recording)
