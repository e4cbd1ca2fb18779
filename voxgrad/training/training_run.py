"""What pretraining and fine-tuning share: from a dataset and a model to a published artifact."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voxgrad import pictures
from voxgrad.acoustic_model import AcousticModel
from voxgrad.device import pick_device, precision_name
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.events import Emit
from voxgrad.settings import AcousticSpec, MelSpec, Preset, TextSpec, TrainSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.store import Store
from voxgrad.text.lexicon import LEXICON, NONE, Lexicon
from voxgrad.training import textgrid
from voxgrad.training.alignment import expanded, labels, summarised, write_alignments
from voxgrad.training.batches import Alignment
from voxgrad.training.dataset import CLIPS, MELS, Clip, Corpus
from voxgrad.training.distributed import open_process_group
from voxgrad.training.gradtts_losses import duration_scale
from voxgrad.training.gradtts_task import GradTTSTask
from voxgrad.training.run_record import BudgetRequest, RunRecord, RunRequest
from voxgrad.training.trainer import Trainer
from voxgrad.training.training_log import LOG, TrainingLog, tensorboard_writer

CURVES = "curves.png"


@dataclass(frozen=True)
class Dataset:
    """A dataset artifact, opened."""

    artifact: Artifact
    corpus: Corpus
    mel: MelSpec
    text: TextSpec
    lexicon: Lexicon = NONE
    """The user's pronunciations that its texts were read with."""

    @classmethod
    def open(cls, artifact: Artifact) -> "Dataset":
        """Reads settings, clip list and lexicon, verifying the files."""
        settings = artifact.manifest.settings
        corpus = Corpus.open(artifact.path(CLIPS), artifact.path(MELS))
        mel = MelSpec.model_validate(settings["audio"]["mel"])
        carried = any(file.path == LEXICON for file in artifact.manifest.files)
        lexicon = Lexicon.read(artifact.path(LEXICON)) if carried else NONE
        return cls(artifact, corpus, mel, TextSpec.model_validate(settings["text"]), lexicon)


@dataclass(frozen=True)
class RunOptions:
    """How a run is done, apart from what comes of it."""

    budget: float | None = None
    """Seconds to fit the settings to."""
    ask: BudgetRequest | None = None
    """The budget that the settings have been fitted to already."""
    tensorboard: Path | None = None
    """Folder for TensorBoard events."""


NO_OPTIONS = RunOptions()
"""No budget, no TensorBoard."""


@dataclass(frozen=True)
class TrainingRun:
    """One training run and the artifact that it ends in."""

    store: Store
    work: RunRequest
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
        board = tensorboard_writer(self.options.tensorboard)
        run = self.work.run_directory(self.store, self.key)
        trainer = build_task(self.acoustic, self.dataset, self.settings, run, self.emit)
        write_record(
            trainer.engine, self.work.record(self.store, run, self.settings, self.options.ask), board
        )
        curves = trainer.engine.at_checkpoint

        def draw() -> None:
            curves()
            clip = _typical(trainer.held_out)
            self._draw_alignment(run, clip, trainer.alignment_of(clip))

        trainer.engine.at_checkpoint = draw
        figures = trainer.train()
        with trainer.group.main_process_first():
            if trainer.group.is_main_process:
                return self._publish(trainer, figures, step_settings)
        return published_by_main_process(self.store, self.work.kind, self.key)

    def _publish(
        self, trainer: GradTTSTask, figures: Mapping[str, float], step_settings: Mapping[str, Any]
    ) -> Artifact:
        device, log = trainer.device, TrainingLog(trainer.run / LOG)
        rows = self.acoustic.spec.speakers
        scale = duration_scale(self.acoustic.model, trainer.training, rows, device)
        alignments = trainer.alignments()
        spec = self.acoustic.spec.model_copy(update={"duration_scale": round(scale, 4)})
        with self.store.stage(self.work.kind, self.work.name) as staged:
            self.acoustic.model.to("cpu")
            self.acoustic.write(staged.directory)
            shutil.copyfile(log.path, staged.directory / LOG)
            if self.dataset.lexicon:
                (staged.directory / LEXICON).write_text(self.dataset.lexicon.text, encoding="utf-8")
            log.draw(staged.directory / CURVES, f"{self.work.kind} {self.work.name}")
            typical = _typical(trainer.held_out)
            self._draw_alignment(staged.directory, typical, alignments[typical.id])
            corpus = self.dataset.corpus
            likelihood = write_alignments(staged.directory, corpus, summarised(corpus, alignments))
            artifact = staged.publish(
                fingerprint=self.key,
                parents={role: parent.as_parent() for role, parent in self.work.parents.items()},
                settings={
                    "acoustic": spec.model_dump(),
                    "training": manifest_settings(self.settings),
                    **budget_settings(self.options.ask),
                    **step_settings,
                    **self.dataset.lexicon.settings,
                },
                seed=self.settings.seed,
                device=f"{device.type} {precision_name(device, self.settings)}, {torch.get_num_threads()} threads",
                tools={"torch": torch.__version__},
                metrics={
                    **run_metrics(trainer.engine, figures),
                    "log_likelihood": likelihood,
                    "steps": trainer.total,
                    "seconds": round(log.seconds(), 1),
                    "clips": len(trainer.training.clips),
                    "held_out_clips": len(trainer.held_out.clips),
                },
                consent=self.dataset.artifact.manifest.consent,
                licence=self.dataset.artifact.manifest.licence,
            )
        shutil.rmtree(trainer.run, ignore_errors=True)  # everything of it now lives in the artifact
        return artifact

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


def check_fits(spec: AcousticSpec, dataset: Dataset, base: str) -> None:
    """A base can only learn from a dataset with its own mel and text front end.

    Raises:
        BadInputError: naming both sides.
    """
    if spec.mel != dataset.mel:
        raise BadInputError(
            f"{base} was trained on mel {spec.mel.fingerprint}, {dataset.artifact.ref} holds {dataset.mel.fingerprint}",
            "Prepare the recordings again with the base's mel settings.",
        )
    if spec.text != dataset.text:
        raise BadInputError(
            f"{base} reads with front end {spec.text.frontend}, {dataset.artifact.ref} with {dataset.text.frontend}",
            f"Prepare the recordings again with --text-frontend {spec.text.frontend}.",
        )


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


def published_by_main_process(store: Store, kind: str, key: str) -> Artifact:
    """What the first process has published.

    Raises:
        EnvironmentFailureError: it has not.
    """
    artifact = store.matching(kind, key)
    if artifact is None:
        raise EnvironmentFailureError("the first process has published nothing", "See what it said.")
    return artifact


def write_record(engine: Trainer, record: RunRecord, board: Callable[[dict[str, Any]], None] | None) -> None:
    """Writes ``run.json``, and has the engine draw its curves beside it and tell of every step."""
    if engine.task.group.is_main_process:
        record.write(engine.run)
    log = TrainingLog(engine.run / LOG)
    engine.resume = record.resume
    engine.compares = bool({"base", "start"} & record.parents.keys())
    engine.watch = board
    engine.at_checkpoint = lambda: log.draw(engine.run / CURVES, f"{record.kind} {record.name}")


def run_metrics(engine: Trainer, figures: Mapping[str, float]) -> dict[str, Any]:
    """Metrics of a run: ``held_out``, what of it counts, and ``before`` where it did not begin from nothing."""
    before = engine.position.before
    return {
        "held_out": {name: round(value, 5) for name, value in figures.items()},
        "judged_by": engine.task.judged_by(len(engine.task.stages) - 1),
        **({} if before is None else {"before": {name: round(value, 5) for name, value in before.items()}}),
    }


def budget_settings(ask: BudgetRequest | None) -> dict[str, Any]:
    """What a manifest says of the budget that its settings were fitted to."""
    return {} if ask is None else {"budget": ask.model_dump()}
