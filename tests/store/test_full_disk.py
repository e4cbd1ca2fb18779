"""A disk that fills up while artifacts are published: what was acknowledged is there, all else is an error."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from voxgrad.errors import EnvironmentFailureError
from voxgrad.store import Artifact, Store
from voxgrad.store.maintenance import collect, remove


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = [str(shutil.which("mount")), "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this process may not mount a tmpfs")
    yield place
    subprocess.run([str(shutil.which("umount")), str(place)], check=True)


def test_a_hundred_publishes_on_a_full_disk(small_disk: Path):
    """Of random sizes, so that the disk fills up at other moments; some is removed now and then."""
    store, chance = Store(small_disk / "home"), random.Random(1)
    acknowledged, refused = set(), []
    for number in range(100):
        content = chance.randbytes(chance.randrange(60_000))
        try:
            with store.stage("voice", "alice") as staged:
                (staged.directory / "model.bin").write_bytes(content)
                acknowledged.add(str(staged.publish(fingerprint=sha256(content).hexdigest(), settings={})))
        except EnvironmentFailureError as error:
            refused.append(error)
        assert not (store.home / "tmp").exists() or list((store.home / "tmp").iterdir()) == []
        if number % 30 == 29:
            for one in store.list()[::2]:
                remove(store, one)
                acknowledged.discard(str(one))
            collect(store, trash_age=timedelta())
    found = store.scan()
    assert all(isinstance(one, Artifact) and not list(one.problems(full=True)) for one in found)
    assert {str(one) for one in found} == acknowledged
    assert len(refused) > 20
    assert all(error.exit_code == 4 and "disk is full" in error.message for error in refused)
    assert len(acknowledged) > 10
