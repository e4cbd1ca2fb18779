"""One training in several processes: the same gradients as in one, and one end for all."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.training import checkpoint, optim

ROOT = Path(__file__).parent.parent.parent
SCRIPT = Path(__file__).with_name("torchrun_script.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
needs_accelerate = pytest.mark.skipif(find_spec("accelerate") is None, reason="Accelerate, which is not installed")


def started(*arguments: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *map(str, arguments)], env=environment, stderr=subprocess.PIPE, text=True)


def waited(process: subprocess.Popen) -> int:
    _, said = process.communicate(timeout=60)
    if process.returncode:
        sys.stderr.write(said)
    return process.returncode


@needs_accelerate
def test_two_processes_have_the_gradients_of_one_with_the_joined_batch(tmp_path):
    assert waited(started(SCRIPT, "gradients", tmp_path)) == 0
    assert waited(started(*TORCHRUN, SCRIPT, "gradients", tmp_path)) == 0
    one, two = (torch.load(tmp_path / f"gradients-{count}.pt") for count in (1, 2))
    for stage, alone in one.items():
        assert alone["gradients"].keys() == two[stage]["gradients"].keys()
        for name, gradient in alone["gradients"].items():
            assert torch.allclose(two[stage]["gradients"][name], gradient, rtol=1e-5, atol=1e-6), (stage, name)
        assert two[stage]["losses"] == pytest.approx(alone["losses"], abs=1e-5)
        assert torch.equal(two[stage]["frames"], alone["frames"])


@pytest.mark.slow
@needs_accelerate
def test_stopping_one_process_stops_the_other_and_saves(tmp_path):
    process = started(*TORCHRUN, SCRIPT, "train", tmp_path)
    log = tmp_path / "run" / "log.jsonl"
    deadline = time.monotonic() + 100
    while not (log.is_file() and len(log.read_text().splitlines()) > 3):
        assert time.monotonic() < deadline, "training has not begun"
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    os.kill(int((tmp_path / "pid-1").read_text()), signal.SIGTERM)
    waited(process)
    assert [(tmp_path / f"exit-{rank}").read_text() for rank in (0, 1)] == ["143", "143"]
    saved = checkpoint.load_checkpoint(tmp_path / "run", lambda event: None)
    last = json.loads(log.read_text().splitlines()[-1])
    assert saved.position.total == last["step"]


def test_a_batch_that_cannot_be_divided_is_refused():
    several = optim.ProcessGroup()
    several.world_size = 2
    several.check_batch_size(4)
    with pytest.raises(BadInputError, match=r"a batch of 5 cannot be divided among 2 processes"):
        several.check_batch_size(5)


def test_several_processes_without_accelerate_are_told_what_to_install(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(optim, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFailureError, match="Accelerate, which is not installed"):
        optim.open_process_group()


def test_shares_of_all_processes_make_up_the_whole():
    counts = torch.tensor([3.0, 1.0, 5.0, 2.0])
    parts = []
    for rank in (0, 1):
        part = optim.ProcessGroup()
        part.rank, part.world_size = rank, 2
        parts.append((part.shard(counts), part.weight(counts)))
    means = [share * rows.mean() * rows.numel() / rows.sum() for rows, share in parts]
    assert torch.cat([rows for rows, _ in parts]).sort().values.tolist() == [1, 2, 3, 5]
    assert sum(share for _, share in parts) / 2 == pytest.approx(1.0)
    assert float(sum(means)) / 2 == pytest.approx(1.0)
