"""A dataset → a base; a dataset and a base → a voice; a dataset, and perhaps a vocoder → a vocoder."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.audio.io import read_audio
from voxgrad.audio.mel import mel_filters
from voxgrad.device import pick_device
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, ignore, percent
from voxgrad.model.frame_prior import harmonic_table
from voxgrad.model.gradtts import GradTTS
from voxgrad.preparation.consent import require
from voxgrad.settings import AcousticSpec, Preset, VocoderPreset, VocoderTrainSpec
from voxgrad.settings.model import either
from voxgrad.settings.training import TRAINABLE_VOCODERS
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.text.languages import name_of
from voxgrad.text.symbols import ENGLISH, VOCABULARY_SIZE
from voxgrad.training.dataset import ONE_SENTENCE, Dataset, check_fits, joined, mean_mel, measure_pitch
from voxgrad.training.languages import extended, joined_languages, write_language, write_without_language
from voxgrad.training.languages import settings_of as languages_of_datasets
from voxgrad.training.optim import open_process_group
from voxgrad.training.publish import train_and_publish
from voxgrad.training.run import NO_OPTIONS, RunOptions, RunRequest
from voxgrad.training.speaker_adaptation import adaptation_cost, fit_embedding, match_bands, match_pitch, nearest_row
from voxgrad.training.task import manifest_settings, train_grad_tts, write_voice
from voxgrad.training.trainer import Trainer
from voxgrad.training.vocoder import VocoderTask
from voxgrad.training.vocoder_clips import AudioClips, augmented_copies
from voxgrad.vocoder.registry import VOCODERS, TrainableVocoder, load_vocoder, save
from voxgrad.weights import LANGUAGE, acoustic_spec_of, taught

PRETRAIN, PRETRAIN_VERSION = "pretrain", 2
TEACH_VERSION = 1
FINETUNE, FINETUNE_VERSION = "finetune", 3
TRAIN_VOCODER, TRAIN_VOCODER_VERSION = "vocoder train", 2


def pretrain(
    store: Store, datasets: list[Artifact], *, name: str, preset: Preset, emit: Emit, options: RunOptions = NO_OPTIONS
) -> Artifact:
    """Trains a base from nothing, or finds the one that the same work made before.

    Raises:
        BadInputError: too few clips, other languages, no way to durations, or too small a budget.
        DivergedError: a number was not finite.
    """
    if preset.durations == "frozen":
        raise BadInputError(
            "durations cannot be frozen before the model has learnt them", "Set durations to mas, or to textgrid:DIR."
        )
    parts = [Dataset.open(dataset) for dataset in datasets]
    for part in parts:
        if part.text.language != ENGLISH:
            message = f"{part.artifact.ref} is in {name_of(part.text.language)}, but a base begins with English"
            raise BadInputError(message, "Give --base english to teach it that language.")
    if preset.model.decoder == "convnext":
        parts = [measure_pitch(part, emit) for part in parts]
    opened = parts[0] if len(parts) == 1 else joined(parts)
    if opened.corpus.has_one_sentence:
        raise BadInputError(
            f"{datasets[0].ref} has fewer than two different sentences, so none can be held out",
            "Prepare recordings of many different texts.",
        )
    spec = _spec(opened, preset)
    settings = {"acoustic": spec.model_dump(), "training": manifest_settings(preset)}
    parents = _parents(datasets)
    request = RunRequest(store, PRETRAIN, PRETRAIN_VERSION, "base", name, parents, {}, settings, options)
    if (known := request.made_before(emit)) is not None:
        return known
    acoustic, recorded = _untrained(opened, preset, spec), {"preset": preset.description}
    return train_grad_tts(request, acoustic, opened, preset, emit, recorded, write_voice)


def teach(
    store: Store,
    datasets: list[Artifact],
    base: Artifact,
    start: Artifact | None,
    *,
    name: str,
    preset: Preset,
    emit: Emit,
    options: RunOptions = NO_OPTIONS,
) -> Artifact:
    """Teaches a base the languages of datasets, or finds those that the same work taught it before.

    It goes on from the languages ``start``, where they are given: of those, it keeps what the datasets hold.

    Raises:
        BadInputError: a dataset is in English, or they do not fit together or to the base.
        DivergedError: a number was not finite.
    """
    opened = [Dataset.open(dataset) for dataset in datasets]
    if start is not None and start.parent("base").digest != base.digest:
        raise BadInputError(f"{start} was not taught to {base}", f"Name languages that were made from {base}.")
    acoustic = load_acoustic_model(base, None if start is None else (start, start.manifest.settings["languages"][0]))
    if acoustic.model.frame_prior is None or acoustic.spec.text.frontend != "voxgrad":
        raise BadInputError(f"{base} cannot learn languages", "Name a base such as english.")
    corpus = joined_languages(opened).corpus
    parents = {**_parents(datasets), "base": base}
    parents |= {} if start is None else {"start": start}
    settings = {"training": manifest_settings(preset)}
    request = RunRequest(store, PRETRAIN, TEACH_VERSION, LANGUAGE, name, parents, {}, settings, options)
    if (known := request.made_before(emit)) is not None:
        return known
    known_speakers = acoustic.spec.speakers
    acoustic = extended(acoustic, corpus)
    whole = joined_languages([measure_pitch(dataset, emit) for dataset in opened])
    new = [clip for clip in whole.corpus.clips if clip.speaker not in known_speakers]
    match_pitch(acoustic, whole.corpus.with_clips(new))
    recorded = {"preset": preset.description, **languages_of_datasets(opened)}
    return train_grad_tts(
        request, acoustic, whole, preset, emit, recorded, partial(write_language, base=base, corpus=whole.corpus)
    )


def _parents(datasets: list[Artifact]) -> dict[str, Artifact]:
    first, *others = datasets
    return {"dataset": first, **{f"dataset-{other.name}": other for other in others}}


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


def finetune(
    store: Store,
    dataset: Artifact,
    base: Artifact,
    *,
    name: str,
    speaker: str | None,
    preset: Preset,
    emit: Emit,
    options: RunOptions = NO_OPTIONS,
) -> Artifact:
    """Adapts a base, or a voice, to one speaker, or finds the voice that the same work made before.

    ``speaker`` may be None where the dataset has only one; the model of ``preset`` is not used.

    Raises:
        BadInputError: nobody has said that the voice may be cloned, dataset and base do not fit, it is unclear whose
            voice is meant, or the budget is too small.
        DivergedError: a number was not finite.
    """
    require(dataset.manifest.consent, dataset.ref, dataset.name)
    opened = _of_one_speaker(Dataset.open(dataset), speaker)
    language = taught(base, store, opened.text.language)
    acoustic = load_acoustic_model(base, language)
    check_fits(acoustic.spec, opened, base.ref)
    if opened.corpus.has_one_sentence:
        emit(ONE_SENTENCE)
    speakers = {"speakers": list(opened.corpus.speakers)}
    parents = {"dataset": dataset, "base": base, **({} if language is None else {"language": language[0]})}
    settings = {"training": manifest_settings(preset)}
    request = RunRequest(store, FINETUNE, FINETUNE_VERSION, "voice", name, parents, speakers, settings, options)
    if (known := request.made_before(emit)) is not None:
        return known
    if acoustic.model.frame_prior is not None:
        opened = measure_pitch(opened, emit)
    acoustic = _adapted(acoustic, opened, preset, acoustic_spec_of(base).model.n_spks, emit)
    # The owner of a voice shall know what its base was trained on.
    inherited = {name: value for name, value in base.manifest.settings.items() if name == "attribution"}
    recorded = {"preset": preset.description, **inherited}
    publish = write_voice if language is None else partial(write_without_language, base=base, language=language)
    return train_grad_tts(request, acoustic, opened, preset, emit, recorded, publish)


def _of_one_speaker(dataset: Dataset, speaker: str | None) -> Dataset:
    speakers = dataset.corpus.speakers
    if speaker is None and len(speakers) > 1:
        raise BadInputError(
            f"{dataset.artifact.ref} has {len(speakers)} speakers, but a voice needs one",
            f"Choose with --speaker: {', '.join(speakers)}.",
        )
    if speaker is not None and speaker not in speakers:
        raise BadInputError(f"{dataset.artifact.ref} has no speaker {speaker}", f"It has {', '.join(speakers)}.")
    chosen = speakers[0] if speaker is None else speaker
    corpus = replace(
        dataset.corpus, clips=tuple(clip for clip in dataset.corpus.clips if clip.speaker == chosen), speakers=(chosen,)
    )
    return replace(dataset, corpus=corpus)


def _adapted(acoustic: AcousticModel, dataset: Dataset, preset: Preset, rows: int, emit: Emit) -> AcousticModel:
    """The base with its nearest embedding row given to the new speaker, and its means brought near to theirs.

    The row is one of the first ``rows``, those that the base has in all languages.
    """
    (speaker,) = dataset.corpus.speakers
    model, device = acoustic.model, pick_device()
    training = dataset.corpus.divide(preset.held_out)[0]
    fits = model.spec.condition_encoder and model.spec.n_spks > 1
    cost = adaptation_cost(model, dataset.corpus, training, fit=fits, match=preset.match_bands)
    with percent(emit, "adapt", cost) as advance:
        row = nearest_row(model.to(device), dataset.corpus, speaker, device, advance, rows)
        known = acoustic.spec.speakers.items()
        others = {name: taken for name, taken in known if taken != row and name != speaker}
        content = {**acoustic.spec.model_dump(), "speakers": {**others, speaker: row}, "voice": speaker}
        adapted = AcousticModel(model, AcousticSpec.model_validate(content))
        match_pitch(adapted, training)
        if fits:
            fit_embedding(adapted, training, device, advance)
        if preset.match_bands:
            match_bands(adapted, training, device, advance)
    return adapted


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
    inputs = {"half_precision": half}
    settings = {
        "spec": vocoder.spec.model_dump(mode="json"),
        "mel": vocoder.mel.model_dump(),
        "training": preset.model_dump(mode="json", include=set(VocoderTrainSpec.model_fields)),
        **inputs,
    }
    version = TRAIN_VOCODER_VERSION
    request = RunRequest(store, TRAIN_VOCODER, version, "vocoder", name, parents, inputs, settings, options)
    if (known := request.made_before(emit)) is not None:
        return known
    task = _vocoder_task(vocoder, opened, preset, request.directory, emit)

    def write(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        vocoder.network.to("cpu")
        save(vocoder, directory, torch.float16 if half else None)
        held_out = 0 if opened.corpus.has_one_sentence else len(task.held_out)
        metrics = {"clips": len(task.clips) // (1 + preset.copies), "held_out_clips": held_out}
        return {**settings, **options.settings, "preset": preset.description}, metrics

    return train_and_publish(Trainer(task, preset, request.directory, emit), request, write)


def _vocoder_task(
    vocoder: TrainableVocoder, dataset: Dataset, preset: VocoderPreset, run: Path, emit: Emit
) -> VocoderTask:
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
