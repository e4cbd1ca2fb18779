"""Failures and kills before each operation of the store, and SIGKILL at random moments of real commands."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.events import ignore
from voxgrad.store import Artifact, Parent, Store, fingerprint
from voxgrad.store.archive import LIMIT, export, import_archive
from voxgrad.store.artifact import entries
from voxgrad.store.maintenance import collect, in_trash, remove, restore

LONG = bool(os.environ.get("VOXGRAD_LONG"))


make_directory = os.mkdir  # as it was before any test put something in its place


def put(path: Path, content: bytes) -> None:
    """Writes what a step would, by calls that `Faults` does not count: only the store is on trial."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def made(store: Store, kind: str, name: str, content: bytes, parents: dict[str, Artifact]) -> Artifact:
    roles: dict[str, Parent] = {role: parent.as_parent() for role, parent in parents.items()}
    with store.stage(kind, name) as staged:
        make_directory(staged.directory / "pictures")
        put(staged.directory / "model.bin", content)
        put(staged.directory / "pictures" / "loss.png", b"png")
        work = fingerprint("test", 1, {}, roles, {"name": name, "content": content.hex()})
        return staged.publish(fingerprint=work, settings={}, parents=roles)


def publish(store: Store) -> None:
    """As steps do: what was done before is found."""
    work = fingerprint("test", 1, {}, {}, {"name": "new", "content": b"new".hex()})
    if store.matching("voice", work) is None:
        made(store, "voice", "new", b"new", {})


def take_in(store: Store) -> None:
    import_archive(store, store.home.parent / "alice.voxgrad", name=None, limit=LIMIT, emit=ignore)


def give_away(store: Store) -> None:
    export([store.find("kept")], store.home.parent / "out" / "kept.voxgrad", ignore)


PATHS: dict[str, Callable[[Store], object]] = {
    "publish": publish,
    "import": take_in,
    "export": give_away,
    "rm": lambda store: remove(store, store.find("bound")),
    "restore": lambda store: restore(store, "gone"),
    "gc": lambda store: collect(store, trash_age=timedelta()),
}


@pytest.fixture
def furnished(tmp_path: Path) -> Store:
    """A home where each of `PATHS` has something to do."""
    store, elsewhere = Store(tmp_path / "home"), Store(tmp_path / "elsewhere")
    dataset = made(elsewhere, "dataset", "lj", b"sounds", {})
    voice = made(elsewhere, "voice", "alice", b"weights", {"dataset": dataset})
    export([voice, dataset], tmp_path / "alice.voxgrad", ignore)
    for name in ("kept", "bound", "gone"):
        made(store, "voice", name, name.encode(), {})
    remove(store, store.find("gone"))
    (tmp_path / "out").mkdir()
    return store


class Faulty:
    """A file whose writes are counted, and fail when it is their turn."""

    def __init__(self, file: io.IOBase, turn: Callable[[str], None]) -> None:
        self._file, self._turn = file, turn

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def write(self, content: bytes) -> int:
        self._turn("write")
        return self._file.write(content)


class Faults:
    """Counts what is asked of the file system, and refuses one of it; without a code, kills the process instead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, code: int | None) -> None:
        self.asked: list[str] = []
        self._number, self._code = number, code
        for name in ("mkdir", "fsync", "rename", "replace"):
            monkeypatch.setattr(os, name, self._refusing(name, getattr(os, name)))
        really_open = io.open

        def opened(file, mode="r", *arguments, **options):
            if not set(mode) & set("wxa+"):
                return really_open(file, mode, *arguments, **options)
            self._turn("open")
            return Faulty(really_open(file, mode, *arguments, **options), self._turn)

        monkeypatch.setattr(io, "open", opened)

    def _refusing(self, name: str, operation):
        def counted(*arguments, **options):
            self._turn(name)
            return operation(*arguments, **options)

        return counted

    def _turn(self, name: str) -> None:
        self.asked.append(name)
        if len(self.asked) == self._number:
            if self._code is None:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(self._code, os.strerror(self._code))


def check(store: Store, before: set[str]) -> None:
    """Everything whole, all that was there is there, nothing half and nothing left over."""
    found = store.scan()
    assert all(isinstance(one, Artifact) and not list(one.problems(full=True)) for one in found)
    there = {str(one) for one in found} | {str(one.location) for one in in_trash(store)}
    assert before <= there
    assert list((store.home / "tmp").iterdir()) == []
    assert len(entries(store.home / "trash")) == len(in_trash(store))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS] if LONG else [errno.EIO])
@pytest.mark.parametrize("path", PATHS)
def test_a_refusal_of_any_operation_leaves_all_or_nothing(furnished: Store, tmp_path, path, code):
    names = {str(one) for one in furnished.scan()} | ({"voice gone@v1"} if path != "gc" else set())
    shutil.copytree(tmp_path / "home", tmp_path / "pristine")
    for number in range(1, 500, 1 if LONG else 7):
        shutil.rmtree(tmp_path / "home")
        shutil.copytree(tmp_path / "pristine", tmp_path / "home")
        met = None
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, number, code)
            try:
                PATHS[path](furnished)
            except EnvironmentFailureError as error:
                met = error
        check(furnished, names)
        assert list((tmp_path / "out").iterdir()) == [] or path == "export"
        if len(faults.asked) < number:
            assert met is None
            break
        # Whoever comes next finds nothing in the way; what was refused at its very end may have happened.
        with suppress(BadInputError):
            PATHS[path](furnished)
        check(furnished, names)
    assert {"rename", "replace"} & set(faults.asked)
    assert number > 7 or path == "gc"


def killed(path: str, store: Store, number: int) -> bool:
    """Runs a fork that kills itself before its ``number``-th operation; whether it came so far."""
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, number, code=None)
            PATHS[path](store)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}
    return status != 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("path", PATHS)
def test_a_kill_before_any_operation_loses_nothing_and_nothing_is_done_twice(furnished, tmp_path, path):
    """Before each write, sync, rename … of every publishing path; then the same command again, and a tidy-up."""
    names = {str(one) for one in furnished.scan()} | ({"voice gone@v1"} if path != "gc" else set())
    shutil.copytree(tmp_path / "home", tmp_path / "pristine")
    for number in range(1, 500, 1 if LONG else 11):
        shutil.rmtree(tmp_path / "home")
        shutil.copytree(tmp_path / "pristine", tmp_path / "home")
        came_so_far = killed(path, furnished, number)
        found = furnished.scan()
        assert all(isinstance(one, Artifact) and not list(one.problems(full=True)) for one in found)
        assert names <= {str(one) for one in found} | {str(one.location) for one in in_trash(furnished)}
        with suppress(BadInputError):  # it had happened before the kill
            PATHS[path](furnished)
        after = {str(one) for one in furnished.scan()}
        new = {"publish": {"voice new@v1"}, "import": {"voice alice@v1", "dataset lj@v1"}}.get(path, set())
        assert after - names == new
        for directory in entries(furnished.home / "tmp"):
            for one in (*directory.rglob("*"), directory):
                os.utime(one, (0, 0))
        collect(furnished)
        check(furnished, names if path != "gc" else after)
        assert {str(one) for one in furnished.scan()} == after
        if not came_so_far:
            break


class Order:
    """Watches that everything is on the disk before it is renamed, and the directories afterwards."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: set[int] = set()
        """Files and directories that were on the disk as they are, by inode."""
        self.due: set[int] = set()
        """Directories that a rename changed since."""
        self.renamed: list[tuple[str, str]] = []
        self.unsynced: list[str] = []
        fsync, rename, replace, really_open = os.fsync, os.rename, os.replace, io.open

        def traced_fsync(descriptor: int) -> None:
            fsync(descriptor)
            self.synced.add(os.fstat(descriptor).st_ino)
            self.due.discard(os.fstat(descriptor).st_ino)

        def traced(operation):
            def renamed(source, target) -> None:
                below = [Path(source), *(Path(source).rglob("*") if Path(source).is_dir() else ())]
                self.unsynced += [str(one) for one in below if one.stat().st_ino not in self.synced]
                operation(source, target)
                self.renamed.append((str(source), str(target)))
                self.due |= {Path(source).parent.stat().st_ino, Path(target).parent.stat().st_ino}

            return renamed

        def traced_open(file, mode="r", *arguments, **options):
            opened = really_open(file, mode, *arguments, **options)
            if set(mode) & set("wxa+"):
                self.synced.discard(os.fstat(opened.fileno()).st_ino)
            return opened

        monkeypatch.setattr(os, "fsync", traced_fsync)
        monkeypatch.setattr(os, "rename", traced(rename))
        monkeypatch.setattr(os, "replace", traced(replace))
        monkeypatch.setattr(io, "open", traced_open)


@pytest.mark.parametrize("path", ["publish", "import", "export", "rm", "restore"])
def test_all_is_on_the_disk_before_each_rename_and_its_directories_after(furnished, monkeypatch, path):
    order = Order(monkeypatch)
    # What was published before is on the disk already.
    order.synced |= {one.stat().st_ino for one in furnished.home.rglob("*")}
    if path == "publish":
        shutil.rmtree(furnished.home)  # so that the store itself is new
    PATHS[path](furnished)
    assert len(order.renamed) == {"publish": 2, "import": 2}.get(path, 1)
    assert order.unsynced == []
    # Staging may forget what was renamed out of it; nothing else may.
    staging = {one.stat().st_ino for one in (furnished.home / "tmp").rglob("*")}
    gone = {inode for inode in order.due if not any(one.stat().st_ino == inode for one in around(furnished))}
    assert order.due - staging - gone == set()


def around(store: Store) -> list[Path]:
    return [store.home.parent, *store.home.parent.rglob("*")]


def test_the_mark_of_a_removed_number_is_on_the_disk_before_it_goes(furnished, monkeypatch):
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def traced_fsync(descriptor: int) -> None:
        fsync(descriptor)
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def traced_rename(source, target) -> None:
        rename(source, target)
        events.append(f"rename {Path(source).name}")

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not tell the names of open files")
    monkeypatch.setattr(os, "fsync", traced_fsync)
    monkeypatch.setattr(os, "rename", traced_rename)
    remove(furnished, furnished.find("bound"))
    at = events.index("rename v1")
    assert events[at - 2 : at] == ["v1.removed", "bound"]
    assert "bound" in events[at:]


ROOT = Path(__file__).parent.parent.parent
KILLS = 200


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_killed_commands_lose_nothing(tmp_path: Path, chain, recordings: Path):
    shutil.copytree(chain.home, tmp_path / "home")
    shutil.copytree(recordings, tmp_path / "robot")
    export([chain.speech], tmp_path / "speech.voxgrad", ignore)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_commands.py"), tmp_path, str(KILLS), "9"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300 + 30 * KILLS,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["torn"] == []
    assert told["lost"] == []
    assert told["closed"] == 0
    assert told["left"] == []
    assert sum(told["killed"].values()) >= KILLS * 3 // 4, told
