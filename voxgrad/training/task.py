"""Training of a Grad-TTS: the task, and a run of it from a dataset and a model to a published base or voice."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voxgrad import pictures
from voxgrad.acoustic_model import AcousticModel
from voxgrad.device import autocast, pick_device
from voxgrad.errors import BadInputError
from voxgrad.events import Advance, Emit, Said, percent
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import AcousticSpec, Preset, StageSpec, TrainSpec
from voxgrad.store import Artifact
from voxgrad.text.lexicon import LEXICON
from voxgrad.training.alignment import (
    Durations,
    align_corpus,
    align_unknown_speakers,
    expanded,
    grids_digest,
    labels,
    read_durations,
    summarised,
    write_alignments,
)
from voxgrad.training.dataset import Alignment, Clip, Corpus, Dataset, batch_of_step, collate, collate_crops
from voxgrad.training.losses import (
    Losses,
    decoder_losses,
    duration_scale,
    full_losses,
    parameters_of,
    prosody_losses,
    validate,
)
from voxgrad.training.optim import ProcessGroup, open_process_group, optimizer_step
from voxgrad.training.prosody import Prosody, prosody_digest
from voxgrad.training.publish import train_and_publish
from voxgrad.training.run import RunRequest
from voxgrad.training.speaker_adaptation import match_detail
from voxgrad.training.trainer import Trainer

Publish = Callable[[AcousticModel, Path], tuple[AcousticSpec, dict[str, Any]]]
"""Writes the weights of a trained model into an artifact's directory; returns the settings that go with them, and what
else the manifest says."""


def write_voice(acoustic: AcousticModel, directory: Path) -> tuple[AcousticSpec, dict[str, Any]]:
    """Writes all weights, of a base or a voice."""
    acoustic.write(directory, packed=acoustic.spec.model.decoder == "convnext")
    return acoustic.spec, {}


@dataclass
class GradTTSTask:
    """One run: a model, what it learns from and how; progress is emitted and logged.

    After :meth:`train` the model holds the averaged weights.
    """

    model: GradTTS
    training: Corpus
    held_out: Corpus
    speaker_rows: Mapping[str, int]
    settings: TrainSpec
    run: Path
    device: torch.device
    emit: Emit
    known: Mapping[str, Tensor] = field(default_factory=dict)
    """Durations of all clips, held-out ones too, where they are read from TextGrids; by clip id."""
    group: ProcessGroup = field(default_factory=ProcessGroup)
    prosody: Prosody | None = None
    stages: tuple[StageSpec, ...] = field(init=False)
    modules: dict[str, nn.Module] = field(init=False)
    durations: Durations = field(init=False)
    trainer: Trainer = field(init=False)
    _frozen: dict[str, Alignment] = field(init=False, default_factory=dict)
    _parts: dict[str, list[nn.Parameter]] = field(init=False, default_factory=dict)
    _optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.durations = Durations(self._all.clips)
        self.durations.update(self.known)
        self.stages = self.settings.stages
        self.modules = {"model": self.model, "durations": self.durations}
        self.trainer = Trainer(self, self.settings, self.run, self.emit)

    @property
    def total(self) -> int:
        """Steps done, of all stages."""
        return self.trainer.total

    def train(self) -> dict[str, float]:
        """Runs all stages; see :meth:`Trainer.train`."""
        return self.trainer.train()

    def name(self, stage: int) -> str:
        """See :class:`TrainingTask`."""
        return "+".join(self.stages[stage].train)

    def begin(self, stage: int) -> dict[str, torch.optim.Optimizer]:
        """Chooses the parameters that learn, and aligns all clips unless every step does so itself."""
        settings = self.stages[stage]
        self.group.check_batch_size(min(settings.batch_size, len(self.training.clips)))
        self._parts = parameters_of(self.model, settings)
        every = [parameter for parameters in self._parts.values() for parameter in parameters]
        self._optimizer = torch.optim.AdamW(every, lr=settings.learning_rate, fused=True)
        self._frozen = {}
        if int(self.durations.stage) != stage:  # else a checkpoint of this stage has brought them
            self._frozen = self._align_for(stage)
            self.durations.begin(stage)
        if settings.train == ("decoder",) and not self._frozen:  # it needs the means too, which stay
            self._frozen = self._known_alignments(self.training, self.durations)
        return {"optimizer": self._optimizer}

    def step(self, stage: int, step: int, seed: int, generator: torch.Generator) -> dict[str, float]:
        """See :class:`TrainingTask`."""
        settings = self.stages[stage]
        clips = batch_of_step(self.training.clips, settings.batch_size, step, seed)
        moved_figures = self._align_again(settings, step)
        self.model.train()
        with autocast(self.device, self.settings.precision):
            if settings.train == ("decoder",):
                crops = collate_crops(self.training, clips, self._frozen, settings.crop, self.speaker_rows, generator)
                losses = decoder_losses(self.model, crops.to(self.device), generator, self.group)
            else:
                losses, moved = self._whole(clips, settings, generator)
                moved_figures |= moved
                if self.prosody is not None:
                    losses = losses.with_prosody(self._prosody_losses(self.prosody, settings, step, seed))
        total = losses.total(self.settings.weights)
        optimizer_step(total, self._parts.values(), self._optimizer, self.settings.clip_gradient, self.group)
        found = losses.named()
        values = torch.stack([value.detach() for value in found.values()])
        self.group.all_reduce_mean([values])
        return dict(zip(found, values.tolist(), strict=True)) | moved_figures

    def validate(self, stage: int) -> dict[str, float]:
        """See :class:`TrainingTask`; once the decoder has learnt, it is judged too."""
        decoder = any("decoder" in settings.train for settings in self.stages[: stage + 1])
        with autocast(self.device, self.settings.precision):
            return validate(
                self.model, self.held_out, self.speaker_rows, self.device, decoder=decoder, known=self._fixed
            )

    def judged_by(self, stage: int) -> str:
        """See :class:`TrainingTask`."""
        train = self.stages[stage].train
        if "decoder" in train:
            return "diffusion"
        return "prior_distance" if "encoder" in train else "duration"

    def alignment_of(self, clip: Clip) -> Alignment:
        """One clip's alignment as the model is now."""
        corpus = self.training.with_clips((clip,))
        return align_corpus(self.model, corpus, self.speaker_rows, self.device, known=self._fixed)[clip.id]

    def alignments(self) -> dict[str, Alignment]:
        """What every clip's alignment is in the end, held-out ones too: by clip id."""
        return self._known_alignments(self._all, self._fixed)

    def _known_alignments(self, corpus: Corpus, known: Durations | None) -> dict[str, Alignment]:
        with self._aligning(corpus) as advance:
            return align_corpus(self.model, corpus, self.speaker_rows, self.device, known=known, advance=advance)

    def _aligning(self, corpus: Corpus, passes: int = 1) -> AbstractContextManager[Advance]:
        return percent(self.emit, "align", passes * sum(clip.frames for clip in corpus.clips))

    @property
    def _given(self) -> bool:
        """Whether all durations are fixed from the beginning of the run."""
        return self.settings.durations != "mas"

    @property
    def _fixed(self) -> Durations | None:
        # A validation may come before the first stage, and so before durations are frozen.
        return self.durations if self._given and self.durations.frames.any() else None

    @property
    def _all(self) -> Corpus:
        # By id, because a sentence that is alone is on both sides.
        clips = {clip.id: clip for clip in (*self.training.clips, *self.held_out.clips)}
        return self.training.with_clips(clips.values())

    def _align_for(self, stage: int) -> dict[str, Alignment]:
        if self._fixed is not None or (self.stages[stage].alignment == "every_step" and not self._given):
            return {}
        corpus = self._all if self._given else self.training
        with self._aligning(corpus, passes=2 if stage == 0 else 1) as advance:
            search = align_unknown_speakers if stage == 0 else align_corpus
            found = search(self.model, corpus, self.speaker_rows, self.device, advance=advance)
        self._update(found)
        return found

    def _align_again(self, settings: StageSpec, step: int) -> dict[str, float]:
        """Searches all alignments where it is time to, until they have settled; the share of frames that moved."""
        every = settings.alignment
        if self._given or isinstance(every, str) or step == 0 or step % every or self.durations.settled:
            return {}
        moved = self._update(align_corpus(self.model, self.training, self.speaker_rows, self.device))
        self.emit(Said(f"aligned again: {moved['moved']:.1%} of the frames moved", "detail"))
        if moved["moved"] > settings.settled:
            return moved
        self.durations.settled.fill_(value=True)
        self.emit(Said(f"alignments have settled: {moved['moved']:.1%} of the frames moved at the last search"))
        return moved | {"settled": 1.0}

    def _update(self, found: Mapping[str, Alignment]) -> dict[str, float]:
        moved = self.durations.update({clip: alignment.durations for clip, alignment in found.items()})
        return {} if moved is None else {"moved": moved}

    def _whole(
        self, clips: Sequence[Clip], settings: StageSpec, generator: torch.Generator
    ) -> tuple[Losses, dict[str, float]]:
        """The losses of complete utterances, and the share of frames that moved where this step searches."""
        searches = settings.alignment == "every_step" and not self._given
        batch = collate(self.training, clips, self.speaker_rows).to(self.device)
        known = None if searches else self.durations.stacked(clips).to(self.device)
        losses, durations = full_losses(
            self.model, batch, settings, self.settings.encoder_loss, known, generator, self.group
        )
        if not searches:
            return losses, {}
        found = zip(clips, self.group.gather(durations).cpu(), strict=True)
        moved = self.durations.update({clip.id: row[: len(clip.tokens)] for clip, row in found})
        return losses, {} if moved is None else {"moved": moved}

    def _prosody_losses(self, prosody: Prosody, settings: StageSpec, step: int, seed: int) -> Losses:
        clips = batch_of_step(prosody.clips, settings.batch_size, step, seed)
        batch = collate(prosody, clips, self.speaker_rows).to(self.device)
        return prosody_losses(self.model, batch, settings, prosody.stacked(clips).to(self.device), self.group)


def train_grad_tts(
    request: RunRequest,
    acoustic: AcousticModel,
    dataset: Dataset,
    settings: Preset,
    emit: Emit,
    step_settings: Mapping[str, Any],
    publish: Publish,
) -> Artifact:
    """Trains a Grad-TTS, from the newest checkpoint where there is one; publishes weights, pictures and the log.

    The same work, begun again, goes on where it stopped. The manifest records ``step_settings``
    besides model and training. ``publish`` writes the weights.

    Raises:
        BadInputError: nothing to train on, or too little to hold any out.
        DivergedError: see :meth:`Trainer.train`.
        VoxgradError: stopped by a signal; the hint is the command that goes on.
    """
    corpus, lexicon = dataset.corpus, dataset.lexicon
    task = _task(acoustic, dataset, settings, request.directory, emit)
    # A clip of about three seconds.
    typical = min(task.held_out.clips, key=lambda clip: (abs(clip.seconds - 3.0), clip.id))

    def draw(directory: Path, known: Alignment) -> None:
        picture = pictures.alignment(
            corpus.mel(typical).numpy(),
            expanded(known).numpy(),
            labels(typical.tokens),
            known.durations.tolist(),
            dataset.mel,
            typical.text,
        )
        (directory / "alignment.svg").write_text(picture, encoding="utf-8")

    def write(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        scale = duration_scale(acoustic.model, task.training, acoustic.spec.speakers, task.device)
        alignments = task.alignments()
        if any("decoder" in stage.train for stage in task.stages):
            match_detail(acoustic.model, task.training, alignments, acoustic.spec.speakers, task.device)
        acoustic.model.to("cpu")
        written, more = publish(acoustic, directory)
        if lexicon:
            (directory / LEXICON).write_text(lexicon.text, encoding="utf-8")
        draw(directory, alignments[typical.id])
        spec = written.model_copy(update={"duration_scale": round(scale, 4)})
        trained = {"acoustic": spec.model_dump(), "training": manifest_settings(settings)}
        return {**trained, **request.options.settings, **step_settings, **more, **lexicon.settings}, {
            "clips": len({clip.id for clip in task.training.clips}),
            "held_out_clips": 0 if corpus.has_one_sentence else len(task.held_out.clips),
            "log_likelihood": write_alignments(directory, corpus, summarised(corpus, alignments)),
        }

    def draw_progress() -> None:
        draw(task.run, task.alignment_of(typical))

    return train_and_publish(task.trainer, request, write, draw_progress)


def manifest_settings(settings: TrainSpec) -> dict[str, Any]:
    """Training settings as a manifest keeps them: TextGrids and prosody by what they say, not by where they lie.

    Raises:
        BadInputError: there are no grids, or no prosody.
    """
    content = settings.model_dump(mode="json", include=set(TrainSpec.model_fields))
    if settings.prosody is not None:
        content["prosody"] = prosody_digest(Path(settings.prosody))
    if settings.grids is None:
        return content
    return {**content, "durations": f"textgrid:{grids_digest(settings.grids)}"}


def _task(acoustic: AcousticModel, dataset: Dataset, settings: TrainSpec, run: Path, emit: Emit) -> GradTTSTask:
    """A trainer of a model on a dataset, some of whose sentences it holds out.

    Raises:
        BadInputError: nothing to train on, or too little to hold any out.
    """
    training, held_out = dataset.corpus.divide(settings.held_out)
    if not training.clips:
        raise BadInputError("there are no clips to train on", "Prepare more recordings, or lower held_out.")
    known: dict[str, Tensor] = {}
    if settings.grids is not None:
        known = read_durations(settings.grids, dataset.corpus.clips, dataset.mel.seconds_per_frame)
    rows = acoustic.spec.speakers
    prosody = None if settings.prosody is None else Prosody.read(Path(settings.prosody), dataset.mel, rows)
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
        prosody,
    )
