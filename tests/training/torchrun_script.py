"""A training in one or several processes: started by test_distributed.py, by itself or under torchrun.

Usage: torchrun_script.py gradients FOLDER, or torchrun_script.py train FOLDER. The first writes the gradients of
one step of each kind of stage to FOLDER/gradients-PROCESSES.pt; the second trains until it is stopped, and every
process leaves its number in FOLDER/pid-RANK and its exit code in FOLDER/exit-RANK.
"""

import os
import sys
from pathlib import Path

import torch

from tests.training.conftest import SPEC, random_corpus
from voxgrad.errors import VoxgradError
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import StageSpec, TrainSpec
from voxgrad.training.optim import open_process_group
from voxgrad.training.task import GradTTSTask

SIZES = [(4 + number, 17 + 5 * number) for number in range(8)]
"""Some clips are shorter than a crop: every process has another number of frames."""
ALL = ("encoder", "durations", "decoder")
STAGES = (
    StageSpec(train=("encoder", "durations"), alignment="every_step", steps=1, batch_size=6),
    StageSpec(train=ALL, alignment="every_step", steps=1, batch_size=6, crop=24),
    StageSpec(train=("decoder",), steps=1, batch_size=6, crop=24),
)


def trainer(folder: Path, stages: tuple[StageSpec, ...]) -> GradTTSTask:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = GradTTS(SPEC)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # every process drops others
    settings = TrainSpec(
        stages=stages, clip_gradient=1e9, precision="float32", validate_every=10**6, checkpoint_every=10**6
    )
    group = open_process_group()
    with group.main_process_first():
        training, held_out = random_corpus(folder / f"data-{group.rank}", SIZES).divide(0.2)
    device = torch.device("cpu")
    return GradTTSTask(model, training, held_out, {"ann": 0}, settings, folder / "run", device, ignore, group=group)


def gradients(folder: Path) -> None:
    found = {}
    for number in range(len(STAGES)):
        one = trainer(folder, STAGES)
        one.begin(number)
        generator = torch.Generator().manual_seed(1)
        losses = one.step(number, 0, 1, generator)
        named = {name: p.grad for name, p in one.model.named_parameters() if p.grad is not None}
        found[number] = {"losses": losses, "gradients": named, "frames": one.durations.frames}
    if one.group.is_main_process:
        torch.save(found, folder / f"gradients-{one.group.world_size}.pt")
    one.group.barrier()


def train(folder: Path) -> int:
    endless = StageSpec(train=("encoder", "durations"), alignment="every_step", steps=10**6, batch_size=6)
    one = trainer(folder, (endless,))
    (folder / f"pid-{one.group.rank}").write_text(str(os.getpid()))
    try:
        one.train()
    except VoxgradError as error:
        (folder / f"exit-{one.group.rank}").write_text(str(int(error.exit_code)))
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    sys.exit(train(where) if what == "train" else gradients(where))
