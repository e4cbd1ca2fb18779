"""Verification of what is published, and garbage collection of staging and old trash."""

import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from voxgrad.errors import IntegrityError, VoxgradError
from voxgrad.events import Advanced, Began, Emit, Ended
from voxgrad.store.artifact import Artifact, Damaged
from voxgrad.store.filesystem import explain_os_errors, is_locked
from voxgrad.store.layout import entries
from voxgrad.store.lineage import Found, Lineage
from voxgrad.store.store import Store
from voxgrad.store.trash import Trashed, in_trash


@dataclass(frozen=True, slots=True)
class Finding:
    """An artifact that is not what was published."""

    artifact: Found
    problems: tuple[VoxgradError, ...]
    dependents: tuple[Artifact, ...]
    """Everything that was made from it."""


def verify(lineage: Lineage, chosen: Iterable[Found], *, full: bool, emit: Emit) -> tuple[Finding, ...]:
    """Look for damage.

    Args:
        lineage: of the whole store.
        chosen: what to look at.
        full: read every byte; otherwise the manifests and their digests are read, and sizes of files compared.
        emit: called with progress events.

    Returns:
        What is damaged; nothing where all is intact.
    """
    artifacts = tuple(chosen)
    findings = []
    emit(Began("verify", len(artifacts), "artifacts"))
    for number, one in enumerate(artifacts, 1):
        problems = (one.error,) if isinstance(one, Damaged) else tuple(one.problems(full=full))
        if problems:
            findings.append(Finding(one, problems, lineage.descendants(one)))
        emit(Advanced("verify", number, str(one)))
    emit(Ended("verify"))
    return tuple(findings)


STAGING_AGE = timedelta(hours=1)
"""Staging that nothing was written to for so long, and that nobody has locked, is abandoned.

Prepared recordings are old when none was written for so long: no `prepare` is at work."""
TRASH_AGE = timedelta(days=14)

_DOOMED = ".gone"


@dataclass(frozen=True, slots=True)
class Collected:
    """What was deleted, or would be."""

    staging: tuple[Path, ...]
    trash: tuple[Trashed, ...]
    prepared: tuple[Path, ...]
    """Recordings that no dataset needs any more."""
    prepared_size: int
    """Bytes of them alone."""
    size: int
    """Bytes of everything."""


def collect(store: Store, *, dry_run: bool = False, trash_age: timedelta = TRASH_AGE) -> Collected:
    """Delete abandoned staging, prepared recordings that no dataset needs, and what was removed long ago.

    Args:
        store: to tidy.
        dry_run: only say what would be deleted.
        trash_age: of the youngest trash that is deleted.

    Raises:
        IntegrityError: a manifest cannot be read; what is in the trash may be what mends it.
        EnvironmentFailureError: something may not be deleted.
    """
    everything = store.scan()
    damaged = [one for one in everything if isinstance(one, Damaged)]
    if damaged:
        raise IntegrityError(
            f"Nothing is deleted while the manifest of {damaged[0]} cannot be read",
            "See `voxgrad verify`; then import a copy of it, or remove it with `voxgrad rm`.",
        )
    with explain_os_errors("tidy the store"):
        youngest = datetime.now(UTC) - trash_age
        staging = tuple(directory for directory in entries(store.home / "tmp") if _is_abandoned(directory))
        trash = tuple(one for one in in_trash(store) if one.removed <= youngest)
        prepared = _superseded(store, [one for one in everything if isinstance(one, Artifact)])
        doomed = [*staging, *(one.slot.directory for one in trash)]
        prepared_size = sum(prepared.values())
        size = prepared_size + sum(_size(directory) for directory in doomed)
        if not dry_run:
            for directory in doomed:
                discard(store, directory)
            for file in prepared:
                file.unlink(missing_ok=True)
    return Collected(staging, trash, tuple(prepared), prepared_size, size)


def _superseded(store: Store, artifacts: Iterable[Artifact]) -> dict[Path, int]:
    """Prepared recordings, with their sizes, that were left by a `prepare` before the newest dataset."""
    datasets = [one for one in artifacts if one.kind == "dataset" and not one.embedded]
    if not datasets:
        return {}
    published = max(datetime.fromisoformat(one.manifest.created).timestamp() for one in datasets)
    found = {}
    for file in entries(store.prepared):
        with suppress(FileNotFoundError):  # the dataset that it belongs to was published in the meantime
            found[file] = file.lstat()
    written = max((status.st_mtime for status in found.values()), default=0.0)
    if time.time() - written < STAGING_AGE.total_seconds():
        return {}
    return {file: status.st_size for file, status in found.items() if status.st_mtime < published}


def discard(store: Store, path: Path) -> None:
    """Delete a directory of the store: first from its place, so that nobody ever meets half of it."""
    if path.suffix != _DOOMED:
        gone = store.home / "tmp" / f"{uuid4().hex}{_DOOMED}"
        gone.parent.mkdir(exist_ok=True)
        try:
            path.rename(gone)
        except FileNotFoundError:
            return  # its owner, or another collector, was faster
        path = gone
    if os.name == "nt":  # which deletes nothing that is read-only
        for file in path.rglob("*"):
            file.chmod(0o600)
    shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(directory: Path) -> bool:
    if directory.suffix == _DOOMED:
        return True
    try:
        written = max(path.lstat().st_mtime for path in (directory, *directory.rglob("*")))
    except FileNotFoundError:
        return False  # somebody is at work in it
    return time.time() - written > STAGING_AGE.total_seconds() and not is_locked(directory / "lock")


def _size(directory: Path) -> int:
    try:
        return sum(path.lstat().st_size for path in directory.rglob("*") if not path.is_dir())
    except FileNotFoundError:
        return 0
