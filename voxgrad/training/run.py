"""What pretraining and fine-tuning share: from a dataset and a model to a published artifact."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from voxgrad import pictures
from voxgrad.acoustic import Acoustic
from voxgrad.errors import BadInputError
from voxgrad.events import Emit, Said
from voxgrad.specs import AcousticSpec, AudioSpec, MelSpec, TextSpec, TrainSpec
from voxgrad.store.artifact import Artifact
from voxgrad.store.draft import Draft
from voxgrad.store.store import Store
from voxgrad.text.lexicon import LEXICON, NONE, Lexicon
from voxgrad.text.tokens import encode
from voxgrad.training.corpus import CLIPS, MELS, Clip, Corpus
from voxgrad.training.device import pick_device, precision_name
from voxgrad.training.engine import LOG
from voxgrad.training.loop import Trainer
from voxgrad.training.stages import align_corpus, duration_scale


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
        audio = AudioSpec.model_validate(settings["audio"])
        carried = any(file.path == LEXICON for file in artifact.manifest.files)
        lexicon = Lexicon.read(artifact.path(LEXICON)) if carried else NONE
        return cls(artifact, corpus, audio.mel, TextSpec.model_validate(settings["text"]), lexicon)


@dataclass(frozen=True)
class Run:
    """One training run and the artifact that it ends in."""

    store: Store
    kind: str
    name: str
    key: str
    """Fingerprint of the artifact: the same work, begun again, goes on where it stopped."""
    acoustic: Acoustic
    dataset: Dataset
    settings: TrainSpec
    parents: Mapping[str, Artifact]
    emit: Emit

    def finish(self, step_settings: Mapping[str, Any]) -> Artifact:
        """Trains, from the newest checkpoint where there is one; publishes weights, pictures and the log.

        Args:
            step_settings: what the manifest records besides model and training.

        Raises:
            BadInputError: nothing to train on, or too little to hold any out.
            DivergedError: see :meth:`Trainer.train`.
        """
        run = self.store.run_directory(f"{self.name}-{self.key[:8]}")
        training, held_out = self.dataset.corpus.divide(self.settings.held_out)
        if not training.clips:
            raise BadInputError("no clip is left to train on", "Prepare more recordings, or lower held_out.")
        rows = self.acoustic.spec.speakers
        trainer = Trainer(
            self.acoustic.model, training, held_out, rows, self.settings, run, pick_device(), self.emit
        )
        try:
            figures = trainer.train()
        except KeyboardInterrupt:
            self.emit(Said("stopped: the same command goes on from the last checkpoint", "warning"))
            raise
        return self._publish(run, figures, trainer, (training, held_out), step_settings)

    def _publish(
        self,
        run: Path,
        figures: Mapping[str, float],
        trainer: Trainer,
        corpora: tuple[Corpus, Corpus],
        step_settings: Mapping[str, Any],
    ) -> Artifact:
        training, held_out = corpora
        device = trainer.device
        scale = duration_scale(self.acoustic.model, training, self.acoustic.spec.speakers, device)
        spec = self.acoustic.spec.model_copy(update={"duration_scale": round(scale, 4)})
        with self.store.stage(self.kind, self.name) as draft:
            self.acoustic.model.to("cpu")
            self.acoustic.write(draft.directory)
            shutil.copyfile(run / LOG, draft.directory / LOG)
            if self.dataset.lexicon:
                (draft.directory / LEXICON).write_text(self.dataset.lexicon.text, encoding="utf-8")
            draw_log(draft.directory / "curves.png", run / LOG, f"{self.kind} {self.name}")
            self._draw_alignment(draft, held_out)
            artifact = draft.publish(
                fingerprint=self.key,
                parents={role: parent.as_parent() for role, parent in self.parents.items()},
                settings={
                    "acoustic": spec.model_dump(),
                    "training": self.settings.model_dump(mode="json", include=set(TrainSpec.model_fields)),
                    **step_settings,
                    **self.dataset.lexicon.settings,
                },
                seed=self.settings.seed,
                device=f"{device.type} {precision_name(device, self.settings)}, {torch.get_num_threads()} threads",
                tools={"torch": torch.__version__},
                metrics={
                    "held_out": {name: round(value, 5) for name, value in figures.items()},
                    "steps": trainer.total,
                    "seconds": round(_seconds(run / LOG), 1),
                    "clips": len(training.clips),
                    "held_out_clips": len(held_out.clips),
                },
                consent=self.dataset.artifact.manifest.consent,
                licence=self.dataset.artifact.manifest.licence,
            )
        shutil.rmtree(run, ignore_errors=True)  # everything of it now lives in the artifact
        return artifact

    def _draw_alignment(self, draft: Draft, held_out: Corpus) -> None:
        clip = min(held_out.clips, key=lambda clip: (abs(clip.seconds - 3.0), clip.id))
        some = held_out.with_clips([clip])
        rows = self.acoustic.spec.speakers
        known = align_corpus(self.acoustic.model, some, rows, torch.device("cpu"))[clip.id]
        pictures.draw_alignment(
            draft.directory / "alignment.png",
            some.mel(clip).numpy(),
            known.mu_x.repeat_interleave(known.durations, 1).numpy(),
            _labels(clip, self.dataset),
            known.durations.tolist(),
            self.dataset.mel,
            clip.text,
        )


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


def draw_log(path: Path, log: Path, title: str) -> None:
    """Draws the losses and the held-out figures of a run."""
    panels: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        losses = {name: entry[name] for name in ("prior", "duration", "diffusion") if name in entry}
        for label, figures in (("training", losses), ("held out", entry.get("held_out", {}))):
            for name, value in figures.items():
                steps, values = panels.setdefault(name.replace("_", " "), {}).setdefault(label, ([], []))
                steps.append(entry["step"])
                values.append(value)
    pictures.draw_curves(path, panels, title)


def _labels(clip: Clip, dataset: Dataset) -> list[str]:
    """A label for every token of a clip; none for blanks."""
    phones = encode(clip.text, dataset.text, dataset.lexicon).phones
    return ["" if phone == "_" else phone for phone in phones]


def _seconds(log: Path) -> float:
    entries = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return float(sum(entry.get("seconds", 0.0) for entry in entries))
