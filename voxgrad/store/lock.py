"""A lock between processes that is only a courtesy: it spares retries, and nothing goes wrong without it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def courtesy_lock(path: Path, patience: float = 10.0) -> Iterator[None]:
    """Hold the lock file ``path``, created where it is missing; the body runs in any case.

    Args:
        path: the lock file; it is left behind, since removing it would let two holders in.
        patience: seconds to wait for another holder before going on without.
    """
    deadline = time.monotonic() + patience
    with path.open("ab") as file:
        while time.monotonic() < deadline:
            try:
                _try_lock(file.fileno())
                break
            except (BlockingIOError, PermissionError):  # how POSIX and Windows say that it is held
                time.sleep(0.005)
            except OSError:  # this file system has no locks
                break
        yield


@contextmanager
def sole(path: Path) -> Iterator[bool]:
    """Hold the lock file ``path`` if nobody else does: False where another process holds it.

    Where the file system has no locks, it counts as held by us.
    """
    with path.open("ab") as file:
        free = True
        try:
            _try_lock(file.fileno())
        except (BlockingIOError, PermissionError):
            free = False
        except OSError:  # this file system has no locks
            pass
        yield free


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock file ``path``; False where it is missing, or nothing can be locked."""
    try:
        with path.open("rb+") as file:
            _try_lock(file.fileno())
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    return False
