"""A training that is interrupted again and again at random moments: started by test_interruptions.py.

Usage: interrupted_run.py FOLDER SIGNAL TIMES SEED. One process imports everything once and forks for every attempt;
each is sent the signal somewhere in training or saving, and the last is left to end. Prints one JSON object.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from tests.training.conftest import SPEC, random_corpus
from voxgrad.errors import VoxgradError
from voxgrad.events import ignore
from voxgrad.model.gradtts import GradTTS
from voxgrad.settings import StageSpec, TrainSpec
from voxgrad.training import checkpoint
from voxgrad.training.dataset import Corpus
from voxgrad.training.task import GradTTSTask
from voxgrad.training.trainer import LOG

MODEL = SPEC.model_copy(update={"enc_dropout": 0.1})
INTERVAL = 3


def train(data: Corpus, run: Path, steps: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    stages = (
        StageSpec(train=("encoder", "durations"), alignment="every_step", steps=steps, batch_size=3),
        StageSpec(train=("decoder",), steps=steps, batch_size=3, crop=16),
    )
    settings = TrainSpec(stages=stages, validate_every=5, checkpoint_every=INTERVAL, precision="float32", ema_decay=0.9)
    training, held_out = data.divide(0.2)
    GradTTSTask(GradTTS(MODEL), training, held_out, {"ann": 0}, settings, run, torch.device("cpu"), ignore).train()


def attempt(data: Corpus, run: Path, steps: int, kill: int | None, after: float) -> int:
    """One process; its exit code, negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        try:
            train(data, run, steps)
        except VoxgradError as error:
            os._exit(int(error.exit_code))
        except KeyboardInterrupt:
            os._exit(99)  # the signal came before or after the training proper
        os._exit(0)
    if kill is not None:
        wait_for(run, child)
        time.sleep(after)
        os.kill(child, kill)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wait_for(run: Path, child: int) -> None:
    """Until a step has been logged since now."""
    log = run / LOG
    before = log.stat().st_mtime_ns if log.exists() else 0
    while not (log.exists() and log.stat().st_mtime_ns != before):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
            return
        time.sleep(0.005)


def steps_logged(run: Path) -> int:
    lines = (run / LOG).read_text().splitlines()
    whole = [line for line in lines if line.endswith("}")]
    return max((json.loads(line)["step"] for line in whole), default=0)


def main(folder: Path, number: int, times: int, seed: int) -> None:
    chance = random.Random(seed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    data, run, steps = random_corpus(folder / "data", [(6, 24)] * 8), folder / "run", 20 + 15 * times
    exits, lost, torn = [], [], []
    for _ in range(times):
        exits.append(attempt(data, run, steps, number, chance.uniform(0.0, 0.4)))
        torn += [path.name for path in checkpoint.checkpoints(run) if not whole(path)]
        saved = checkpoint.checkpoints(run)
        at = int(saved[-1].name.removeprefix("step-")) if saved else 0
        lost.append(steps_logged(run) - at)
    last = attempt(data, run, steps, None, 0.0)
    attempt(data, folder / "straight", steps, None, 0.0)
    same = [
        (one / "ckpt" / f"step-{2 * steps:08d}" / "average.safetensors").read_bytes()
        for one in (run, folder / "straight")
    ]
    print(
        json.dumps(
            {"exits": exits, "lost": lost, "torn": torn, "last": last, "same": same[0] == same[1], "steps": 2 * steps}
        )
    )


def whole(directory: Path) -> bool:
    index = json.loads((directory / "position.json").read_text())
    return all(checkpoint.sync_file(directory / name) == digest for name, digest in index["files"].items())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
