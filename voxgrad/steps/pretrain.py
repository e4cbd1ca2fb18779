"""A dataset → a base."""

from collections import Counter

import torch

from voxgrad.acoustic_model import AcousticModel
from voxgrad.audio.mel import mel_filters
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.model.frame_prior import harmonic_table
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, Preset
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.text.tokens import VOCABULARY_SIZE
from voxgrad.training.dataset import Dataset, mean_mel, measure_pitch
from voxgrad.training.run import NO_OPTIONS, RunOptions, RunRequest
from voxgrad.training.speaker_adaptation import match_pitch
from voxgrad.training.task import manifest_settings, train_grad_tts

STEP, VERSION = "pretrain", 2


def pretrain(
    store: Store, dataset: Artifact, *, name: str, preset: Preset, emit: Emit, options: RunOptions = NO_OPTIONS
) -> Artifact:
    """Trains a base from nothing, or finds the one that the same work made before.

    Args:
        store: where the base goes.
        dataset: what it learns from.
        name: of the base.
        preset: model and training.
        emit: called with progress events.
        options: a budget, TensorBoard.

    Raises:
        BadInputError: too few clips, no way to durations, or too small a budget.
        DivergedError: a number was not finite.
    """
    if preset.durations == "frozen":
        raise BadInputError(
            "durations cannot be frozen before the model has learnt them", "Set durations to mas, or to textgrid:DIR."
        )
    opened = Dataset.open(dataset)
    if opened.corpus.has_one_sentence:
        raise BadInputError(
            f"{dataset.ref} has fewer than two different sentences, so none can be held out",
            "Prepare recordings of many different texts.",
        )
    if preset.model.decoder == "convnext":
        opened = measure_pitch(opened, emit)
    request = RunRequest(STEP, VERSION, "base", name, {"dataset": dataset}, {})
    spec = _spec(opened, preset)
    settings = {"acoustic": spec.model_dump(), "training": manifest_settings(preset), **options.settings}
    key = request.key(settings)
    if (known := store.matching("base", key)) is not None:
        emit(Said(f"{known.ref} is up to date"))
        return known
    acoustic, recorded = _untrained(opened, preset, spec), {"preset": preset.description}
    return train_grad_tts(store, request, key, acoustic, opened, preset, options, emit, recorded)


def _untrained(dataset: Dataset, preset: Preset, spec: AcousticSpec) -> AcousticModel:
    torch.manual_seed(preset.seed)  # initial weights are drawn from torch's own generator
    model = GradTTS(spec.model)
    with torch.no_grad():
        # Every mean starts at the average mel, so that the first alignments are already about the mel's shape.
        model.encoder.proj_m.bias.copy_(mean_mel(dataset.corpus))  # type: ignore[union-attr]
        if model.frame_prior is not None:
            filters = mel_filters(dataset.mel, torch.device("cpu"), torch.float32)
            model.frame_prior.harmonics.copy_(harmonic_table(dataset.mel, filters))
    acoustic = AcousticModel(model, spec)
    match_pitch(acoustic, dataset.corpus)
    return acoustic


def _spec(dataset: Dataset, preset: Preset) -> AcousticSpec:
    speakers = dataset.corpus.speakers
    milliseconds = Counter[str]()
    for clip in dataset.corpus.clips:
        milliseconds[clip.speaker] += round(clip.seconds * 1000)
    sizes = {
        "n_vocab": VOCABULARY_SIZE,
        "n_feats": dataset.mel.n_mels,
        "n_spks": max(preset.model.n_spks, len(speakers)),
    }
    return AcousticSpec(
        model=preset.model.model_copy(update=sizes),
        mel=dataset.mel,
        text=dataset.text,
        speakers={speaker: row for row, speaker in enumerate(speakers)},
        voice=milliseconds.most_common(1)[0][0],
    )
