"""SIGKILL at random moments of real commands, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TIMES = 200 if os.environ.get("VOXGRAD_LONG") else 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_killed_commands_lose_nothing(tmp_path: Path):
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
