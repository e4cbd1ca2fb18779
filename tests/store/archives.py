"""Archives as tests write, edit and import them."""

import json
import tracemalloc
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from voxgrad.errors import VoxgradError
from voxgrad.events import ignore
from voxgrad.store import Store
from voxgrad.store.archive import LIMIT, ImportedArtifact, import_archive

Members = dict[str, bytes]


def taken_in(store: Store, path: Path, name: str | None = None, limit: int = LIMIT) -> tuple[ImportedArtifact, ...]:
    return import_archive(store, path, name=name, limit=limit, emit=ignore)


def written(path: Path, members: Members, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(members: Members, root: str = "voice/alice/v1") -> Members:
    """With the digest of an edited manifest, as whoever edits one would do it."""
    digest = sha256(members[f"{root}/manifest.json"]).hexdigest()
    return {**members, f"{root}/manifest.sha256": f"{digest}  manifest.json\n".encode()}


def edited(members: Members, **changes: object) -> Members:
    name = "voice/alice/v1/manifest.json"
    manifest = {**json.loads(members[name]), **changes}
    return sealed({**members, name: json.dumps(manifest).encode()})


def refused(store: Store, path: Path) -> VoxgradError:
    """Refuses without a trace: nothing in the store, nothing beside it, little memory."""
    around = sorted(one for one in path.parent.rglob("*") if store.home not in one.parents)
    tracemalloc.start()
    with pytest.raises(VoxgradError) as caught:
        taken_in(store, path, limit=10**6)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert caught.value.exit_code in {2, 3}
    assert "\n" not in str(caught.value)
    assert store.scan() == ()
    assert list((store.home / "tmp").rglob("*")) == []
    assert sorted(one for one in path.parent.rglob("*") if store.home not in one.parents) in (
        around,
        sorted([*around, store.home]),
    )
    return caught.value
