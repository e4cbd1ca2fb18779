"""SIGKILL at random moments of real commands, in processes of their own."""

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    ("times", "commands"),
    [
        (5, ["say", "import", "gc"]),
        pytest.param(200, ["prepare", "finetune", "say", "import", "gc"], marks=pytest.mark.slow),
    ],
)
def test_killed_commands_lose_nothing(
    times: int, commands: list[str], tmp_path: Path, chain, recordings: Path
):
    shutil.copytree(chain.home, tmp_path / "home")
    shutil.copytree(recordings, tmp_path / "robot")
    export([chain.speech], tmp_path / "speech.voxgrad", ignore)
    done = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("killed_commands.py"),
            tmp_path,
            str(times),
            "9",
            *commands,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300 + 30 * times,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["torn"] == []
    assert told["lost"] == []
    assert told["closed"] == 0
    assert told["left"] == []
    assert sum(told["killed"].values()) >= times * 3 // 4, told
