"""Clips and a model that can align them → Praat TextGrids."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.device import pick_device
from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.events import Emit, tracked
from voxgrad.files import atomic_folder, check_folder
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.text.tokens import encode
from voxgrad.training.alignment import (
    ALIGNMENTS,
    SUFFIX,
    SpokenWord,
    StoredAlignment,
    align_with,
    clip_grid,
    labels,
    read_alignments,
    summarised,
    word_spans,
)
from voxgrad.training.dataset import Clip, Dataset, check_fits
from voxgrad.weights import taught


@dataclass(frozen=True)
class Written:
    """The result of `align`."""

    folder: Path
    files: int
    log_likelihood: float
    """Of a frame under N(mu, I), mean over the clips."""


def align(store: Store, dataset: Artifact, model: Artifact, output: Path, *, force: bool, emit: Emit) -> Written:
    """Searches the alignments of a dataset, and writes a TextGrid for every clip.

    Speakers that the voice or base does not know are taken for its own voice. ``output`` is a folder that is not there
    yet, or empty; with ``force``, TextGrids that lie in it are replaced.

    Raises:
        BadInputError: dataset and model do not fit, or the folder is in use.
    """
    _check_output(output, force=force)
    opened = Dataset.open(dataset)
    acoustic = load_acoustic_model(model, taught(model, store, opened.text.language))
    check_fits(acoustic.spec, opened, model.ref)
    alignments = align_with(acoustic, opened.corpus, pick_device())
    return _write(opened, summarised(opened.corpus, alignments), output, emit)


def stored_alignments(store: Store, model: Artifact, output: Path, *, force: bool, emit: Emit) -> Written:
    """Writes the alignments that a voice or a base ended its training with; see :func:`align`.

    Raises:
        BadInputError: it has no alignments, its dataset is missing, or the folder is in use.
    """
    _check_output(output, force=force)
    if not any(file.path == ALIGNMENTS for file in model.manifest.files):
        raise BadInputError(
            f"{model.kind} {model.ref} has no stored alignments",
            f"Align a dataset with it: voxgrad align DATASET --voice {model.kind}/{model.ref}.",
        )
    opened = Dataset.open(store.origin(model.parent("dataset"), "dataset"))
    return _write(opened, read_alignments(model.path(ALIGNMENTS)), output, emit)


def _check_output(output: Path, *, force: bool) -> None:
    if not output.is_dir():
        check_folder(output)
    inside = sorted(output.iterdir()) if output.exists() else []
    others = [path.name for path in inside if path.suffix != SUFFIX or not path.is_file()]
    if others:
        raise BadInputError(f"{output} contains {others[0]}, which is not a TextGrid", "Choose a separate folder.")
    if inside and not force:
        raise BadInputError(f"{output} already contains TextGrids", "Replace them with --force, or name another.")


def _write(dataset: Dataset, stored: Mapping[str, StoredAlignment], output: Path, emit: Emit) -> Written:
    clips = [clip for clip in dataset.corpus.clips if clip.id in stored]  # of one speaker, maybe
    with atomic_folder(output) as folder:
        for clip in tracked(clips, "align", "clips", emit):
            (folder / f"{clip.id}{SUFFIX}").write_text(_grid(dataset, clip, stored[clip.id]), encoding="utf-8")
    likelihood = sum(stored[clip.id].log_likelihood for clip in clips) / len(clips)
    return Written(output, len(clips), round(likelihood, 3))


def _grid(dataset: Dataset, clip: Clip, stored: StoredAlignment) -> str:
    if len(stored.durations) != len(clip.tokens):
        raise IntegrityError(f"the alignment of clip {clip.id} does not match its text", "Fine-tune the voice again.")
    return clip_grid(clip, stored.durations, _words(dataset, clip), dataset.mel.seconds_per_frame)


def _words(dataset: Dataset, clip: Clip) -> list[SpokenWord]:
    """The words of a clip; where an earlier version read the text as other words, these are shown as phones."""
    encoded = encode(clip.text, dataset.text, dataset.lexicon)
    if encoded.tokens == clip.tokens:
        return [(word.word, word.start, word.stop) for word in encoded.words]
    spans, said = word_spans(clip.tokens), labels(clip.tokens)
    names = [word.word for word in encoded.words]
    if len(names) != len(spans):
        names = [f"{{{' '.join(filter(None, said[start:stop]))}}}" for start, stop in spans]
    return [(name, *span) for name, span in zip(names, spans, strict=True)]
