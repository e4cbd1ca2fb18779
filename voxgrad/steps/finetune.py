"""A dataset and a base → a voice."""

from dataclasses import replace

from voxgrad.acoustic_model import AcousticModel, load_acoustic_model
from voxgrad.device import pick_device
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said, percent
from voxgrad.preparation.consent import require
from voxgrad.settings import AcousticSpec, Preset
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.training.dataset import ONE_SENTENCE, Dataset, check_fits, measure_pitch
from voxgrad.training.run import NO_OPTIONS, RunOptions, RunRequest
from voxgrad.training.speaker_adaptation import adaptation_cost, fit_embedding, match_bands, match_pitch, nearest_row
from voxgrad.training.task import manifest_settings, train_grad_tts

STEP, VERSION = "finetune", 3


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

    Args:
        store: where the voice goes.
        dataset: recordings of the speaker.
        base: what is adapted.
        name: of the voice.
        speaker: whose clips, where the dataset has several speakers.
        preset: training settings; its model is not used.
        emit: called with progress events.
        options: a budget, TensorBoard.

    Raises:
        BadInputError: nobody has said that the voice may be cloned, dataset and base do not fit, it is unclear whose
            voice is meant, or the budget is too small.
        DivergedError: a number was not finite.
    """
    require(dataset.manifest.consent, dataset.ref, dataset.name)
    opened = _of_one_speaker(Dataset.open(dataset), speaker)
    acoustic = load_acoustic_model(base)
    check_fits(acoustic.spec, opened, base.ref)
    if opened.corpus.has_one_sentence:
        emit(ONE_SENTENCE)
    speakers = {"speakers": list(opened.corpus.speakers)}
    request = RunRequest(STEP, VERSION, "voice", name, {"dataset": dataset, "base": base}, speakers)
    key = request.key({"training": manifest_settings(preset), **options.settings})
    if (known := store.matching("voice", key)) is not None:
        emit(Said(f"{known.ref} is up to date"))
        return known
    if acoustic.model.frame_prior is not None:
        opened = measure_pitch(opened, emit)
    acoustic = _adapted(acoustic, opened, preset, emit)
    # Whoever has the voice shall know what its base was trained on.
    inherited = {name: value for name, value in base.manifest.settings.items() if name == "attribution"}
    recorded = {"preset": preset.description, **inherited}
    return train_grad_tts(store, request, key, acoustic, opened, preset, options, emit, recorded)


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


def _adapted(acoustic: AcousticModel, dataset: Dataset, preset: Preset, emit: Emit) -> AcousticModel:
    """The base with its nearest embedding row given to the new speaker, and its means brought near to theirs."""
    (speaker,) = dataset.corpus.speakers
    model, device = acoustic.model, pick_device()
    training = dataset.corpus.divide(preset.held_out)[0]
    fits = model.spec.condition_encoder and model.spec.n_spks > 1
    cost = adaptation_cost(model, dataset.corpus, training, fit=fits, match=preset.match_bands)
    with percent(emit, "adapt", cost) as advance:
        row = nearest_row(model.to(device), dataset.corpus, speaker, device, advance)
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
