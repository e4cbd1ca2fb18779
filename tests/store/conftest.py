"""Stores and artifacts to try things on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from voxgrad.events import ignore
from voxgrad.store import Artifact, Lineage, Parent, Store, fingerprint
from voxgrad.store.archive import export

Publish = Callable[..., Artifact]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def publish(store: Store) -> Publish:
    def publish(
        name: str = "alice",
        kind: str = "voice",
        parents: dict[str, Parent] | None = None,
        content: bytes = b"weights",
        where: Store = store,
    ) -> Artifact:
        with where.stage(kind, name) as staged:
            (staged.directory / "model.bin").write_bytes(content)
            (staged.directory / "pictures").mkdir()
            (staged.directory / "pictures" / "loss.png").write_bytes(b"png")
            roles = {} if parents is None else parents
            work = fingerprint("test", 1, {}, roles, {"name": name, "content": content.hex()})
            return staged.publish(fingerprint=work, settings={"rate": 0.5}, parents=roles, metrics={"loss": 1.5})

    return publish


@pytest.fixture
def overwrite() -> Callable[[Path, bytes], None]:
    """Changes what is read-only."""

    def overwrite(path: Path, content: bytes) -> None:
        path.chmod(0o644)
        path.write_bytes(content)

    return overwrite


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """All that the artifacts of a home consist of, to compare it with itself."""

    def contents(home: Path) -> dict[str, bytes]:
        files = (path for path in (home / "artifacts").rglob("*") if path.is_file())
        return {path.relative_to(home).as_posix(): path.read_bytes() for path in files}

    return contents


@dataclass(frozen=True)
class Family:
    """A dataset, a base made from it, a voice made from both, and two utterances of the voice."""

    dataset: Artifact
    base: Artifact
    voice: Artifact
    first: Artifact
    second: Artifact


@pytest.fixture
def family(publish: Publish) -> Family:
    dataset = publish("lj", kind="dataset")
    base = publish("narrator", kind="base", parents={"dataset": dataset.as_parent()})
    voice = publish("alice", parents={"dataset": dataset.as_parent(), "base": base.as_parent()})
    spoken = {"voice": voice.as_parent()}
    first, second = (publish("alice", kind="speech", parents=spoken, content=word) for word in (b"1", b"2"))
    return Family(dataset, base, voice, first, second)


@pytest.fixture
def alice(store: Store, publish, tmp_path: Path) -> Path:
    """An archive of one voice."""
    export([publish()], tmp_path / "alice.voxgrad", ignore)
    return tmp_path / "alice.voxgrad"


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


@pytest.fixture
def lineage(store: Store, family, tmp_path: Path) -> Path:
    """An archive of an utterance with everything that it was made from."""
    ancestors = Lineage(store).ancestors(family.first)
    export([family.first, *reversed(ancestors)], tmp_path / "all.voxgrad", ignore)
    return tmp_path / "all.voxgrad"
