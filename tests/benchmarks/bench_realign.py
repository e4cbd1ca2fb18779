"""How still alignments become: an encoder learns 200 clips, and all are aligned again every so many steps.

Reported at every search: the share of frames that belong to another token than at the search before, and the share
of phones that begin within two frames of where they began. `--base REF` starts from a base, else from nothing.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import torch

from voxgrad.acoustic_model import load_acoustic_model
from voxgrad.events import Event, Measured, Said
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import ModelSpec, PrepareSpec, StageSpec, TextSpec, TrainSpec
from voxgrad.steps.prepare import Options, prepare
from voxgrad.store import Store
from voxgrad.training.alignment import Durations, labels
from voxgrad.training.dataset import Corpus, Dataset, mean_mel
from voxgrad.training.task import GradTTSTask

DATA = Path(__file__).parents[3] / "shared" / "data" / "kathleen"
CLIPS, NEAR = 200, 2


def corpus_of(folder: Path) -> Corpus:
    """The first clips of the recordings, prepared."""
    lines = (DATA / "metadata.csv").read_text(encoding="utf-8").splitlines()[:CLIPS]
    (folder / "some" / "wavs").mkdir(parents=True)
    for line in lines:
        (recording,) = (DATA / "wavs").glob(f"{line.partition('|')[0]}.*")
        shutil.copyfile(recording, folder / "some" / "wavs" / recording.name)
    (folder / "some" / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    artifact = prepare(
        Store(folder / "home"),
        folder / "some",
        name="kathleen",
        preset=PrepareSpec(description="benchmark"),
        text=TextSpec(),
        options=Options(jobs=1),
        emit=lambda event: None,
    )
    return Dataset.open(artifact).corpus


def phone_starts(durations: Durations, corpus: Corpus) -> torch.Tensor:
    """The first frame of every phone of all clips."""
    starts = []
    for clip in corpus.clips:
        border = torch.nn.functional.pad(durations.of(clip).cumsum(0), (1, 0))[:-1]
        starts.append(border[torch.tensor([label != "" for label in labels(clip.tokens)])])
    return torch.cat(starts)


def main() -> None:
    """Trains and reports."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--base", help="where to start; default: from nothing")
    arguments.add_argument("--steps", type=int, default=600, help="with alignments of every step")
    arguments.add_argument("--every", type=int, default=50, help="steps between the searches that follow")
    arguments.add_argument("--searches", type=int, default=4)
    arguments.add_argument("--batch", type=int, default=8)
    given = arguments.parse_args()
    shared = {"train": ("encoder", "durations"), "batch_size": given.batch, "learning_rate": 6e-4}
    follow = {**shared, "learning_rate": 2e-4, "steps": given.every * given.searches + 1, "settled": 0.0}
    stages = (StageSpec(**{**shared, "steps": given.steps, "warmup": 100}, alignment="every_step"),) * (
        given.steps > 0
    ) + (StageSpec(**follow, alignment=given.every),)
    settings = TrainSpec(stages=stages, validate_every=200, checkpoint_every=10_000)
    with tempfile.TemporaryDirectory() as place:
        corpus = corpus_of(Path(place))
        training, held_out = corpus.divide(settings.held_out)
        torch.manual_seed(0)
        if given.base is None:
            model, row = GradTTS(ModelSpec(dec_dim=16)), 0
            with torch.no_grad():
                model.encoder.proj_m.bias.copy_(mean_mel(training))
        else:
            acoustic = load_acoustic_model(Store.open().find(given.base, "base"))
            model, row = acoustic.model, acoustic.row
        before: list[torch.Tensor] = []

        def watch(event: Event) -> None:
            if isinstance(event, Measured):
                print(f"step {event.step}", event.figures, flush=True)
            elif isinstance(event, Said) and event.text.startswith("aligned again"):
                now = phone_starts(trainer.durations, training)
                if before:
                    moved = (now - before.pop()).abs()
                    near = (moved <= NEAR).float().mean()
                    print(f"{event.text}; {near:.2%} of phones begin within {NEAR} frames", flush=True)
                before.append(now)

        began = time.perf_counter()
        trainer = GradTTSTask(
            model,
            training,
            held_out,
            {"kathleen": row},
            settings,
            Path(place) / "run",
            torch.device("cpu"),
            watch,
        )
        trainer.train()
        print(f"{trainer.total} steps in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
