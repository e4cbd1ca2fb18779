"""The clips that a voice is judged by: those that nothing in its ancestry was trained on."""

from collections.abc import Iterator

from voxgrad.errors import BadInputError
from voxgrad.store.artifact import Artifact, Reference
from voxgrad.store.lineage import Lineage
from voxgrad.store.store import Store
from voxgrad.training.dataset import Clip, Corpus, Dataset


def held_out(store: Store, voice: Artifact, dataset: Dataset, speaker: str) -> list[Clip]:
    """Find the clips of a dataset that a voice can be judged by, one take of each sentence, in a fixed order.

    Where the voice, or what it was made from, was trained on the dataset (the same digest, or the same name), only
    the sentences that each of these trainings held out; else all.

    Args:
        store: where the voice's ancestors are.
        voice: a voice or a base.
        dataset: recordings.
        speaker: whose clips.

    Raises:
        BadInputError: there are none.
    """
    clips = [clip for clip in dataset.corpus.clips if clip.speaker == speaker]
    for trained in _trained_on(store, voice, dataset.artifact):
        corpus = dataset.corpus.with_clips(clips) if trained.kind == "voice" else dataset.corpus
        outside = {clip.id for clip in _outside(corpus, trained).clips}
        clips = [clip for clip in clips if clip.id in outside]
    one_take = {clip.normalised: clip for clip in reversed(clips)}
    if not one_take:
        raise BadInputError(
            f"{dataset.artifact.ref} has no clip that {voice.ref} was not trained on",
            "Name another with --data.",
        )
    return sorted(one_take.values(), key=lambda clip: clip.rank)


def speaker_of(dataset: Dataset, voice: str, wanted: str | None) -> str:
    """Whose recordings a voice is compared with: the wanted speaker's, its own, or the only one's.

    Raises:
        BadInputError: that is nobody, or unclear.
    """
    speakers = dataset.corpus.speakers
    chosen = wanted if wanted is not None else voice if voice in speakers else speakers[0]
    if chosen not in speakers:
        raise BadInputError(
            f"{dataset.artifact.ref} has no speaker {chosen}", f"It has {', '.join(speakers)}."
        )
    if wanted is None and chosen != voice and len(speakers) > 1:
        raise BadInputError(
            f"{dataset.artifact.ref} has {len(speakers)} speakers, none of them {voice}",
            f"Choose with --speaker: {', '.join(speakers)}.",
        )
    return chosen


def _trained_on(store: Store, voice: Artifact, dataset: Artifact) -> Iterator[Artifact]:
    ancestors = [one for one in Lineage.of(store).ancestors(voice) if isinstance(one, Artifact)]
    for one in (voice, *ancestors):
        parent = one.manifest.parents.get("dataset")
        known = parent is not None and dataset.digest == parent.digest
        named = parent is not None and Reference.parse(parent.ref).name == dataset.name
        if one.kind in {"voice", "base"} and (known or named):
            yield one


def _outside(corpus: Corpus, trained: Artifact) -> Corpus:
    if corpus.has_one_sentence:
        return corpus.with_clips(())
    share = trained.manifest.settings.get("training", {}).get("held_out", 0.0)
    return corpus.divide(float(share))[1]
