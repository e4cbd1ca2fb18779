"""Stores and artifacts to try things on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from voxgrad.store import Artifact, Parent, Store, fingerprint

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
        with where.stage(kind, name) as draft:
            (draft.directory / "model.bin").write_bytes(content)
            (draft.directory / "pictures").mkdir()
            (draft.directory / "pictures" / "loss.png").write_bytes(b"png")
            roles = {} if parents is None else parents
            work = fingerprint("test", 1, {}, roles, {"name": name, "content": content.hex()})
            return draft.publish(
                fingerprint=work, settings={"rate": 0.5}, parents=roles, metrics={"loss": 1.5}
            )

    return publish
