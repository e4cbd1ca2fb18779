"""A training run of a Grad-TTS: from a dataset and a model to a published base or voice."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from voxgrad import pictures
from voxgrad.acoustic_model import AcousticModel
from voxgrad.device import pick_device
from voxgrad.errors import BadInputError
from voxgrad.events import Emit
from voxgrad.settings import Preset, TrainSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.text.lexicon import LEXICON
from voxgrad.training import textgrid
from voxgrad.training.alignment import expanded, labels, summarised, write_alignments
from voxgrad.training.batches import Alignment
from voxgrad.training.dataset import Clip, Corpus, Dataset
from voxgrad.training.distributed import open_process_group
from voxgrad.training.gradtts_losses import duration_scale
from voxgrad.training.gradtts_task import GradTTSTask
from voxgrad.training.run_record import RunOptions, RunRequest
from voxgrad.training.training_log import tensorboard_writer
from voxgrad.training.training_run import budget_settings, finish_run, publish_run, write_record


@dataclass(frozen=True)
class GradTTSRun:
    """One training run of a Grad-TTS and the artifact that it ends in."""

    store: Store
    request: RunRequest
    key: str
    """Fingerprint of the artifact: the same work, begun again, goes on where it stopped."""
    acoustic: AcousticModel
    dataset: Dataset
    settings: Preset
    options: RunOptions
    emit: Emit

    def finish(self, step_settings: Mapping[str, Any]) -> Artifact:
        """Trains, from the newest checkpoint where there is one; publishes weights, pictures and the log.

        Args:
            step_settings: what the manifest records besides model and training.

        Raises:
            BadInputError: nothing to train on, or too little to hold any out.
            DivergedError: see :meth:`GradTTSTask.train`.
            VoxgradError: stopped by a signal; the hint is the command that goes on.
        """
        writer = tensorboard_writer(self.options.tensorboard)
        run = self.request.run_directory(self.store, self.key)
        task = build_task(self.acoustic, self.dataset, self.settings, run, self.emit)
        record = self.request.record(self.store, run, self.settings, self.options.ask)
        write_record(task.trainer, record, writer, self.options)
        draw_curves = task.trainer.at_checkpoint

        def draw() -> None:
            draw_curves()
            clip = _typical(task.held_out)
            self._draw_alignment(run, clip, task.alignment_of(clip))

        task.trainer.at_checkpoint = draw
        return finish_run(
            task.trainer,
            self.store,
            self.request,
            self.key,
            lambda metrics: self._publish(task, metrics, step_settings),
        )

    def _publish(
        self, task: GradTTSTask, metrics: Mapping[str, Any], step_settings: Mapping[str, Any]
    ) -> Artifact:
        rows, corpus = self.acoustic.spec.speakers, self.dataset.corpus
        scale = duration_scale(self.acoustic.model, task.training, rows, task.device)
        alignments = task.alignments()
        spec = self.acoustic.spec.model_copy(update={"duration_scale": round(scale, 4)})

        def write(directory: Path) -> dict[str, Any]:
            self.acoustic.model.to("cpu")
            self.acoustic.write(directory)
            if self.dataset.lexicon:
                (directory / LEXICON).write_text(self.dataset.lexicon.text, encoding="utf-8")
            typical = _typical(task.held_out)
            self._draw_alignment(directory, typical, alignments[typical.id])
            return {"log_likelihood": write_alignments(directory, corpus, summarised(corpus, alignments))}

        settings = {
            "acoustic": spec.model_dump(),
            "training": manifest_settings(self.settings),
            **budget_settings(self.options.ask),
            **step_settings,
            **self.dataset.lexicon.settings,
        }
        held_out = 0 if corpus.has_one_sentence else len(task.held_out.clips)
        counts = {"clips": len(task.training.clips), "held_out_clips": held_out}
        return publish_run(
            task.trainer, self.store, self.request, self.key, settings, {**metrics, **counts}, write
        )

    def _draw_alignment(self, directory: Path, clip: Clip, known: Alignment) -> None:
        pictures.draw_alignment(
            directory / "alignment.png",
            self.dataset.corpus.mel(clip).numpy(),
            expanded(known).numpy(),
            labels(clip.tokens),
            known.durations.tolist(),
            self.dataset.mel,
            clip.text,
        )


def _typical(corpus: Corpus) -> Clip:
    """A clip of about three seconds, for a picture."""
    return min(corpus.clips, key=lambda clip: (abs(clip.seconds - 3.0), clip.id))


def manifest_settings(settings: TrainSpec) -> dict[str, Any]:
    """Training settings as a manifest keeps them: TextGrids by what they say, not by where they lie.

    Raises:
        BadInputError: there are no grids.
    """
    content = settings.model_dump(mode="json", include=set(TrainSpec.model_fields))
    if settings.grids is None:
        return content
    return {**content, "durations": f"textgrid:{textgrid.digest(settings.grids)}"}


def build_task(
    acoustic: AcousticModel, dataset: Dataset, settings: TrainSpec, run: Path, emit: Emit
) -> GradTTSTask:
    """A trainer of a model on a dataset, some of whose sentences it holds out.

    Raises:
        BadInputError: nothing to train on, or too little to hold any out.
    """
    training, held_out = dataset.corpus.divide(settings.held_out)
    if not training.clips:
        raise BadInputError("no clip is left to train on", "Prepare more recordings, or lower held_out.")
    known: dict[str, Tensor] = {}
    if settings.grids is not None:
        known = textgrid.read_durations(settings.grids, dataset.corpus.clips, dataset.mel.seconds_per_frame)
    rows = acoustic.spec.speakers
    return GradTTSTask(
        acoustic.model,
        training,
        held_out,
        rows,
        settings,
        run,
        pick_device(),
        emit,
        known,
        open_process_group(),
    )
