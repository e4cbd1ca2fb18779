"""Threads: as many as there are processors that are free."""

import subprocess
import sys

import pytest

from voxgrad import threads


@pytest.mark.parametrize(
    ("content", "count"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("", 8), ("x y", 8)],
)
def test_a_control_group_limits_them(tmp_path, monkeypatch, content, count):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(content)
    assert threads.usable_processors(tmp_path) == count


def test_control_groups_of_version_1_limit_them_too(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert threads.usable_processors(tmp_path) == 3
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert threads.usable_processors(tmp_path) == 8


@pytest.mark.parametrize(("others", "count"), [(0, 8), (3, 5), (8, 1), (40, 1)])
def test_what_others_use_is_left_to_them(monkeypatch, others, count):
    monkeypatch.setattr(threads, "usable_processors", lambda: 8)
    monkeypatch.setattr(threads, "_others_running", lambda: others)
    assert threads.free_processors() == count


@pytest.mark.parametrize(("asked", "found"), [("3", "3"), (None, "1")])
def test_the_command_sets_them_before_torch_is_loaded_unless_the_user_did(asked, found):
    code = (
        "import os, sys; from voxgrad import threads; threads.free_processors = lambda: 1;"
        "from voxgrad.cli import main; main.main(['--version']);"
        "print('torch' in sys.modules, os.environ['OMP_NUM_THREADS'], os.environ['OMP_WAIT_POLICY'])"
    )
    environment = {"PATH": "/usr/bin:/bin"} | ({} if asked is None else {"OMP_NUM_THREADS": asked})
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    assert done.stdout.splitlines()[-1] == f"False {found} PASSIVE"
