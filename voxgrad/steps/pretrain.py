"""A dataset → a base."""

from collections import Counter

import torch

from voxgrad.acoustic import Acoustic
from voxgrad.events import Emit, Said
from voxgrad.model.gradtts import GradTTS
from voxgrad.specs import AcousticSpec, Preset
from voxgrad.store.artifact import Artifact
from voxgrad.store.manifest import fingerprint
from voxgrad.store.store import Store
from voxgrad.text.tokens import vocabulary_size
from voxgrad.training.corpus import Corpus, mean_mel
from voxgrad.training.run import Dataset, Run

VERSION = 1


def pretrain(store: Store, dataset: Artifact, *, name: str, preset: Preset, emit: Emit) -> Artifact:
    """Trains a base from nothing, or finds the one that the same work made before.

    Args:
        store: where the base goes.
        dataset: what it learns from.
        name: of the base.
        preset: model and training.
        emit: told of progress.

    Raises:
        BadInputError: too few clips.
        DivergedError: a number was not finite.
    """
    opened = Dataset.open(dataset)
    spec = _spec(opened, preset)
    settings = {"acoustic": spec.model_dump(), "preset": preset.model_dump(mode="json")}
    key = fingerprint("pretrain", VERSION, settings, {"dataset": dataset.as_parent()}, {"name": name})
    if (known := store.matching("base", key)) is not None:
        emit(Said(f"nothing changed since {known.ref}"))
        return known
    torch.manual_seed(preset.seed)  # initial weights are drawn from torch's own generator
    model = GradTTS(spec.model)
    with torch.no_grad():
        # Every mean starts at the average mel, so that the first alignments are already about the mel's shape.
        model.encoder.proj_m.bias.copy_(mean_mel(opened.corpus))  # type: ignore[union-attr]
    run = Run(store, "base", name, key, Acoustic(model, spec), opened, preset, {"dataset": dataset}, emit)
    return run.finish({"preset": preset.description})


def _spec(dataset: Dataset, preset: Preset) -> AcousticSpec:
    speakers = dataset.corpus.speakers
    model = preset.model.model_copy(
        update={
            "n_vocab": vocabulary_size,
            "n_feats": dataset.mel.n_mels,
            "n_spks": max(preset.model.n_spks, len(speakers)),
        }
    )
    return AcousticSpec(
        model=model,
        mel=dataset.mel,
        text=dataset.text,
        speakers={speaker: row for row, speaker in enumerate(speakers)},
        voice=_most_recorded(dataset.corpus),
    )


def _most_recorded(corpus: Corpus) -> str:
    seconds = Counter[str]()
    for clip in corpus.clips:
        seconds[clip.speaker] += round(clip.seconds * 1000)
    return seconds.most_common(1)[0][0]
