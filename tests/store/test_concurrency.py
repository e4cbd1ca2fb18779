"""Many at once: numbers stay unique and nothing is torn, with locks and where locks do nothing."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from voxgrad.errors import VoxgradError
from voxgrad.events import ignore
from voxgrad.store import Artifact, Store, fingerprint
from voxgrad.store import archive as archive_module
from voxgrad.store import maintenance as trash_module
from voxgrad.store import publish as publish_module
from voxgrad.store import store as store_module
from voxgrad.store.archive import LIMIT, import_archive
from voxgrad.store.maintenance import collect, in_trash, remove, restore

TIMES = 100 if os.environ.get("VOXGRAD_LONG") else 5
FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
pytestmark = pytest.mark.skipif(FORK is None, reason="this system has no fork")


def write(home: Path, times: int) -> list[tuple[int, str]]:
    """Publishes under one name; each with a payload that nobody else writes."""
    store, done = Store(home), []
    for number in range(times):
        with store.stage("voice", "alice") as staged:
            mine = f"{os.getpid()} {number}"
            (staged.directory / "payload").write_text(mine)
            (staged.directory / "more").write_bytes(bytes(5000))
            work = fingerprint("test", 1, {}, {}, {"mine": mine})
            done.append((staged.publish(fingerprint=work, settings={}).version, mine))
    return done


def tidy(home: Path, until: Path) -> int:
    """Collects in a loop, as impatient as it can be about the trash, until somebody says stop."""
    rounds = 0
    while not until.exists():
        collect(Store(home), trash_age=timedelta())
        rounds += 1
        time.sleep(0.002)
    return rounds


@contextmanager
def unlocked(path: Path) -> Iterator[None]:
    yield


def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (publish_module, store_module, trash_module):
        monkeypatch.setattr(module, "advisory_lock", unlocked)
    monkeypatch.setattr("voxgrad.store.maintenance.is_locked", lambda _: False)


@pytest.mark.parametrize("locking", [True, False])
@pytest.mark.parametrize("writers", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_writers_with_a_collector_in_a_loop(store: Store, tmp_path: Path, monkeypatch, writers, locking):
    if not locking:
        without_locks(monkeypatch)
    with ProcessPoolExecutor(writers + 1, mp_context=FORK) as pool:
        collector = pool.submit(tidy, store.home, tmp_path / "stop")
        try:
            told = [one for done in pool.map(write, [store.home] * writers, [TIMES] * writers) for one in done]
        finally:
            (tmp_path / "stop").touch()
        assert collector.result() > 0
    assert sorted(version for version, _ in told) == list(range(1, writers * TIMES + 1))
    found = store.scan()
    assert all(isinstance(one, Artifact) and not list(one.problems(full=True)) for one in found)
    assert {(one.version, one.path("payload").read_text()) for one in store.list()} == set(told)
    assert list((store.home / "tmp").iterdir()) == []


def shuffle(home: Path, name: str, times: int) -> list[int]:
    """Removes and restores, whatever the others do meanwhile; exit codes where somebody else was faster."""
    store, codes = Store(home), []
    for _ in range(times):
        try:
            remove(store, store.find(name))
            restore(store, name)
        except VoxgradError as error:
            codes.append(int(error.exit_code))
    return codes


@pytest.mark.parametrize("locking", [True, False])
def test_removing_and_restoring_the_same_things_at_once(store: Store, publish, monkeypatch, locking):
    if not locking:
        without_locks(monkeypatch)
    made = {str(publish(content=bytes([number]))) for number in range(4)}
    with ProcessPoolExecutor(4, mp_context=FORK) as pool:
        codes = list(pool.map(shuffle, [store.home] * 4, ["alice"] * 4, [TIMES] * 4))
    assert {code for some in codes for code in some} <= {2, 3, 4}
    found = store.scan()
    assert all(isinstance(one, Artifact) and not list(one.problems(full=True)) for one in found)
    trash = in_trash(store)
    assert all(isinstance(one.entry, Artifact) for one in trash)
    assert sorted([str(one) for one in found] + [str(one.location) for one in trash]) == sorted(made)
    assert publish().version == 5


def take_in(home: Path, archive: Path) -> list[str]:
    return [str(one.artifact) for one in import_archive(Store(home), archive, name=None, limit=LIMIT, emit=ignore)]


@pytest.mark.parametrize("locking", [True, False])
def test_the_same_archive_imported_by_several_at_once(store: Store, lineage: Path, other: Store, monkeypatch, locking):
    """All have unpacked it before any publishes; where locks do nothing, second copies are waste, not damage."""
    if not locking:
        without_locks(monkeypatch)
    unpacked, barrier = archive_module.unpack, FORK.Barrier(3)

    def wait_for_the_others(archive, packed, *place):
        unpacked(archive, packed, *place)
        if packed.manifest.kind == "speech":  # the last of them
            barrier.wait(60)

    monkeypatch.setattr(archive_module, "unpack", wait_for_the_others)
    with ProcessPoolExecutor(3, mp_context=FORK) as pool:
        told = list(pool.map(take_in, [other.home] * 3, [lineage] * 3))
    found = other.scan()
    assert {one for refs in told for one in refs} == {str(one) for one in found}
    assert all(isinstance(one, Artifact) and not list(one.problems(full=True)) for one in found)
    assert list((other.home / "tmp").iterdir()) == in_trash(other) == []
    if locking:
        assert [str(one) for one in found] == ["base narrator@v1", "dataset lj@v1", "speech alice@v1", "voice alice@v1"]
    assert set(take_in(other.home, lineage)) <= {str(one) for one in found}
