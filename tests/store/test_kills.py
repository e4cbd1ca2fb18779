"""SIGKILL at random moments of real commands, in processes of their own; before each operation: test_faults.py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voxgrad.events import ignore
from voxgrad.store.archive import export

ROOT = Path(__file__).parent.parent.parent
TIMES = 200


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_killed_commands_lose_nothing(tmp_path: Path, chain, recordings: Path):
    shutil.copytree(chain.home, tmp_path / "home")
    shutil.copytree(recordings, tmp_path / "robot")
    export([chain.speech], tmp_path / "speech.voxgrad", ignore)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_commands.py"), tmp_path, str(TIMES), "9"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300 + 30 * TIMES,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["torn"] == []
    assert told["lost"] == []
    assert told["closed"] == 0
    assert told["left"] == []
    assert sum(told["killed"].values()) >= TIMES * 3 // 4, told
