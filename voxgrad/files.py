"""Files: durable and atomic writes, digests, locks, and messages for failures such as a full disk."""

import errno
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from voxgrad.errors import GO_ON, BadInputError, EnvironmentFailureError, VoxgradError, is_disk_full, os_error

_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def write_file(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; at the end it replaces ``path``, or vanishes where the body fails.

    The file is on the disk before it is renamed, so that ``path`` is complete or as it was, even after a power cut.

    Raises:
        EnvironmentFailureError: the operating system refuses.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    with explain_os_errors(f"write {path.name}"):
        try:
            yield temporary
            with _opened_to_sync(temporary) as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_directory(path.absolute().parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """As `atomic_write`, for a folder: a temporary one takes the place of ``path``, which comes back if that fails.

    Raises:
        EnvironmentFailureError: the operating system refuses.
    """
    target = path.absolute()
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    old = temporary.with_name(f"{temporary.name}.old")
    with explain_os_errors(f"write {path}"):
        try:
            temporary.mkdir()
            yield temporary
            if target.exists():
                target.rename(old)
            temporary.rename(target)
            sync_directory(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            if old.exists() and not target.exists():
                old.rename(target)
            shutil.rmtree(old, ignore_errors=True)


def check_file(path: Path) -> None:
    """Check that a file can have a path, before work is spent on what goes into it.

    Raises:
        BadInputError: its folder is missing, or it is a folder itself.
    """
    _check_parent(path)
    if path.is_dir():
        raise BadInputError(f"{path} is a folder", "Choose a file in it.")


def check_folder(folder: Path) -> None:
    """As `check_file`, for a new folder.

    Raises:
        BadInputError: something lies there already, or its parent is missing.
    """
    _check_parent(folder)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise BadInputError(f"{folder} already exists", "Choose a new folder, or remove this one.")


def _check_parent(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise BadInputError(f"the folder {path.parent} does not exist", "Create it, or choose another.")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex.

    Raises:
        BadInputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror})", "Check the path.") from error


def sync_file(path: Path) -> str:
    """Wait until the disk has a file; returns its SHA-256 in hex."""
    with _opened_to_sync(path) as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _opened_to_sync(path: Path) -> BufferedReader:
    # Windows flushes only what was opened for writing; elsewhere a read-only file must do.
    return path.open("rb+") if os.name == "nt" else path.open("rb")  # type: ignore[return-value]


def sync_directory(path: Path) -> None:
    """Wait until the disk has a directory's entries."""
    if os.name == "nt":  # which can neither open a directory nor needs to
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explain_os_errors(doing: str) -> Iterator[None]:
    """Turn failures of the operating system while ``doing`` (``publish voice alice``) into an error with a hint.

    Raises:
        EnvironmentFailureError: an ``OSError`` came from the body, or what a library makes of one.
    """
    try:
        yield
    except Exception as error:
        refused = error if isinstance(error, OSError) else os_error(error)
        if refused is None or isinstance(error, VoxgradError):
            raise
        raise explained(refused, doing) from refused


def explained(error: OSError, doing: str) -> EnvironmentFailureError:
    """The error that users see for ``error``, which occurred while ``doing`` something."""
    if is_disk_full(error):
        return EnvironmentFailureError(f"The disk is full: cannot {doing}", GO_ON)
    if error.errno in _FORBIDDEN:
        where = f" in {error.filename}" if error.filename is not None else ""
        return EnvironmentFailureError(
            f"There is no permission to {doing}{where}",
            "Change the permissions, or choose another place.",
        )
    return EnvironmentFailureError(f"Cannot {doing}: {error}", "Check the disk, then run the same command again.")


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _try_lock(file: BinaryIO) -> bool:
    """Whether a file is ours now, until it is closed; on a file system that has no locks, it is."""
    try:
        _lock(file.fileno())
    except (BlockingIOError, PermissionError):  # how POSIX and Windows say that it is held
        return False
    except OSError:
        pass
    return True


@contextmanager
def advisory_lock(path: Path, patience: float = 10.0) -> Iterator[None]:
    """Hold the lock file ``path``, created if missing; after ``patience`` seconds, the body runs without the lock.

    The file is left behind, since removing it would let two holders in.
    """
    deadline = time.monotonic() + patience
    with path.open("ab") as file:
        while time.monotonic() < deadline and not _try_lock(file):
            time.sleep(0.005)
        yield


@contextmanager
def exclusive_lock(path: Path) -> Iterator[bool]:
    """Hold the lock file ``path``; yields False if another process holds it.

    Where the file system has no locks, it counts as held by us.
    """
    with path.open("ab") as file:
        yield _try_lock(file)


def is_locked(path: Path) -> bool:
    """Whether a running process holds the lock file ``path``; False if it is missing or cannot be locked."""
    try:
        with path.open("rb+") as file:
            return not _try_lock(file)
    except OSError as error:
        return isinstance(error, PermissionError)
