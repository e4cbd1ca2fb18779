"""A home of its own for every command, and artifacts to put there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from voxgrad.store import Artifact, Parent, Store, fingerprint


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("VOXGRAD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


@pytest.fixture
def publish() -> Callable[..., Artifact]:
    def publish(
        home: Path, kind: str, name: str, parents: dict[str, Artifact] | None = None, files: int = 1
    ) -> Artifact:
        roles: dict[str, Parent] = {}
        if parents is not None:
            roles = {role: parent.as_parent() for role, parent in parents.items()}
        with Store(home).stage(kind, name) as staged:
            for number in range(files):
                (staged.directory / f"part{number:03}.bin").write_bytes(bytes(1500))
            work = fingerprint("test", 1, {"kind": kind, "name": name}, roles, {})
            return staged.publish(
                fingerprint=work,
                settings={"mel": {"n_fft": 1024}},
                metrics={"loss": 0.123456789},
                parents=roles,
                seed=7,
            )

    return publish


@pytest.fixture
def alice(home: Path, publish) -> Artifact:
    dataset = publish(home, "dataset", "lj")
    base = publish(home, "base", "narrator", {"dataset": dataset})
    return publish(home, "voice", "alice", {"dataset": dataset, "base": base})
