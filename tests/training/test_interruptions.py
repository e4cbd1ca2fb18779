"""Signals at random moments of a training, in processes of its own. VOXGRAD_INTERRUPTIONS says how many of each.

What each signal does is in test_trainer_checkpoints.py.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TIMES = int(os.environ.get("VOXGRAD_INTERRUPTIONS", "1"))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")]


def interrupted(folder: Path, number: int, seed: int) -> dict:
    done = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("interrupted_run.py"),
            folder,
            str(int(number)),
            str(TIMES),
            str(seed),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60 + 60 * TIMES,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_interrupted_training_loses_nothing_and_ends_the_same(number, code, tmp_path):
    told = interrupted(tmp_path, number, seed=int(number))
    assert set(told["exits"]) == {code}, told
    assert told["torn"] == []
    # A killed process loses what came after its last checkpoint, three steps at most; a stopped one nothing.
    assert max(told["lost"]) <= (3 if code < 0 else 0), told
    assert told["last"] == 0
    assert told["same"]
