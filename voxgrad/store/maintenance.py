"""Verification, trash and garbage collection; an artifact moves to the trash and back in one rename."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from voxgrad.errors import BadInputError, IntegrityError, VoxgradError, is_disk_full
from voxgrad.events import Emit, few, tracked
from voxgrad.files import advisory_lock, explain_os_errors, is_locked, sync_directory, write_file
from voxgrad.store.artifact import (
    KINDS,
    Artifact,
    ArtifactLocation,
    DamagedArtifact,
    Reference,
    StoreEntry,
    entries,
    is_name,
    load_entry,
    possible_digests,
)
from voxgrad.store.store import Lineage, Store

_TIME = "%Y%m%dT%H%M%S-%fZ"
_NAME = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)})\.(?P<name>.+)\.v(?P<version>[1-9]\d{{0,8}})\.(?P<removed>[^.]+)\.[0-9a-f]{{8}}"
)
"""What a directory in the trash is called: all that restoring needs, and nothing that takes space to write."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An artifact that has changed since it was published."""

    artifact: StoreEntry
    problems: tuple[VoxgradError, ...]
    dependents: tuple[Artifact, ...]
    """Everything that was made from it."""


def verify(lineage: Lineage, chosen: Iterable[StoreEntry], *, full: bool, emit: Emit) -> tuple[Finding, ...]:
    """The damaged ones of ``chosen``: checks every byte if ``full``, else manifests, digests and sizes."""
    findings = []
    for entry in tracked(tuple(chosen), "verify", "artifacts", emit, note=str):
        problems = tuple(entry.problems(full=full))
        if problems:
            findings.append(Finding(entry, problems, lineage.descendants(entry)))
    return tuple(findings)


@dataclass(frozen=True, slots=True)
class Trashed:
    """A removed artifact."""

    location: ArtifactLocation
    """What it was, with its directory in the trash."""
    removed: datetime
    """UTC, to the microsecond."""

    @property
    def entry(self) -> StoreEntry:
        """The artifact, as it lies in the trash."""
        return load_entry(self.location)


def remove(store: Store, entry: StoreEntry, *, cascade: bool = False) -> tuple[StoreEntry, ...]:
    """Move an artifact, intact or damaged, to the trash, where it stays until it is collected.

    Its number is never used again. With ``cascade``, everything that was made from it goes too.

    Returns:
        What was removed, in that order: what was made from a thing goes before the thing.

    Raises:
        BadInputError: it came with the package, or something needs it.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    if entry.embedded:
        raise BadInputError(f"{entry} is included in voxgrad and cannot be removed", "Choose another artifact.")
    # An imported graph holds all of the voice that it was exported from.
    dependents = [made for made in Lineage(store).descendants(entry) if not made.embedded and made.kind != "onnx"]
    runs = _runs_from(store, [entry, *dependents])
    if runs:
        raise BadInputError(
            f"{entry} is needed by the training run {few(runs, 1)}", "Finish the run first: see `voxgrad runs`."
        )
    if dependents and not cascade:
        raise BadInputError(
            f"{entry} is needed by {few([str(made) for made in dependents], 1)}",
            "Remove that first, or remove everything with --cascade.",
        )
    going = (*reversed(dependents), entry)
    for each in going:
        move_to_trash(store, each)
    return going


def _runs_from(store: Store, artifacts: Iterable[StoreEntry]) -> list[str]:
    """Training runs in progress that began with one of these, sorted."""
    digests = {digest for entry in artifacts for digest in entry.digests}
    runs = []
    for record in (store.home / "runs").glob("*/run.json"):
        try:
            parents = json.loads(record.read_bytes())["parents"].values()
            needed = {parent["digest"] for parent in parents}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # a run that cannot be read can need nothing
        if needed & digests:
            runs.append(record.parent.name)
    return sorted(runs)


def move_to_trash(store: Store, entry: StoreEntry) -> None:
    """Move one artifact to the trash; its mark tells its digest, so that it alone can have its number again.

    Raises:
        EnvironmentFailureError: the place may not be written.
    """
    now = datetime.now(UTC).strftime(_TIME)
    target = store.home / "trash" / f"{entry.kind}.{entry.name}.v{entry.version}.{now}.{uuid4().hex[:8]}"
    versions = entry.directory.parent
    with explain_os_errors(f"remove {entry}"), advisory_lock(store.home / "store.lock"):
        target.parent.mkdir(exist_ok=True)
        # The mark first: beside an artifact that is still there it means nothing.
        _mark(store.layout.tombstone(entry.kind, entry.name, entry.version), entry.digests)
        sync_directory(versions)
        entry.directory.rename(target)
        for directory in (target.parent, versions, store.home):
            sync_directory(directory)


def _mark(tombstone: Path, digests: frozenset[str]) -> None:
    try:
        write_file(tombstone, "\n".join(sorted(digests)).encode())
    except OSError as error:
        # To remove something must be possible on a full disk.
        if not is_disk_full(error):
            raise
        write_file(tombstone, b"")


def restore(store: Store, ref: str) -> tuple[StoreEntry, ...]:
    """Bring an artifact back from the trash, with what it was made from where that lies there too.

    ``ref`` is as for `Store.find`; without a number, it is what was removed last.

    Returns:
        What came back, parents first.

    Raises:
        BadInputError: it is not in the trash, or its number is taken.
        EnvironmentFailureError: the place may not be written.
    """
    trashed = in_trash(store)
    by_digest = {digest: removed for removed in reversed(trashed) for digest in possible_digests(removed.location)}
    coming: list[Trashed] = []
    waiting = [_chosen(trashed, Reference.parse(ref), ref)]
    while waiting:
        removed = waiting.pop()
        coming.append(removed)
        entry = removed.entry
        parents = entry.manifest.parents.values() if isinstance(entry, Artifact) else ()
        here = {known.digest for known in store.list()} if parents else set()
        waiting += [by_digest[p.digest] for p in parents if p.digest in by_digest and p.digest not in here]
    return tuple(_return(store, removed) for removed in dict.fromkeys(reversed(coming)))


def in_trash(store: Store) -> list[Trashed]:
    """Removed artifacts that can be restored, the last removed first."""
    trash = (_trashed(path) for path in entries(store.home / "trash"))
    return sorted(filter(None, trash), key=lambda trashed: trashed.removed, reverse=True)


def _trashed(path: Path) -> Trashed | None:
    """What lies in the trash under a name; None where it is none that we gave."""
    parts = _NAME.fullmatch(path.name)
    if parts is None or not is_name(parts["name"]):
        return None
    try:
        removed = datetime.strptime(parts["removed"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Trashed(ArtifactLocation(parts["kind"], parts["name"], int(parts["version"]), path, embedded=False), removed)


def _chosen(trashed: list[Trashed], reference: Reference, ref: str) -> Trashed:
    """The last removed artifact with a reference."""
    for removed in trashed:
        location = removed.location
        by_name = (
            location.name == reference.name
            and reference.kind in {None, location.kind}
            and reference.version in {None, location.version}
        )
        by_digest = reference.digest is not None and any(
            digest.startswith(reference.digest) for digest in possible_digests(location)
        )
        if by_name or by_digest:
            return removed
    raise BadInputError(f"There is no {ref} in the trash", "List the trash with `voxgrad restore`.")


def _return(store: Store, removed: Trashed) -> StoreEntry:
    location = removed.location
    versions = store.layout.versions_directory(location.kind, location.name)
    target = versions / f"v{location.version}"
    with explain_os_errors(f"restore {location}"), advisory_lock(store.home / "store.lock"):
        if target.exists():
            raise BadInputError(
                f"Another artifact is called {location}", f"Remove it first: voxgrad rm {location.kind}/{location.ref}."
            )
        versions.mkdir(parents=True, exist_ok=True)
        location.directory.rename(target)
        for directory in (versions, versions.parent, versions.parent.parent, location.directory.parent):
            sync_directory(directory)
    return load_entry(replace(location, directory=target))


STAGING_AGE = timedelta(hours=1)
"""Staging that nothing was written to for so long, and that no process has locked, is abandoned.

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
    """Delete abandoned staging, prepared recordings that no dataset needs, and what was removed so long ago.

    With ``dry_run``, only say what would be deleted.

    Raises:
        IntegrityError: a manifest cannot be read; what is in the trash may be what mends it.
        EnvironmentFailureError: something may not be deleted.
    """
    everything = store.scan()
    damaged = [entry for entry in everything if isinstance(entry, DamagedArtifact)]
    if damaged:
        raise IntegrityError(
            f"Nothing is deleted while the manifest of {damaged[0]} cannot be read",
            "See `voxgrad verify`; then import a copy of it, or remove it with `voxgrad rm`.",
        )
    with explain_os_errors("tidy the store"):
        youngest = datetime.now(UTC) - trash_age
        staging = tuple(directory for directory in entries(store.home / "tmp") if _is_abandoned(directory))
        trash = tuple(removed for removed in in_trash(store) if removed.removed <= youngest)
        prepared = _superseded(store, [entry for entry in everything if isinstance(entry, Artifact)])
        doomed = [*staging, *(removed.location.directory for removed in trash)]
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
    datasets = [artifact for artifact in artifacts if artifact.kind == "dataset" and not artifact.embedded]
    if not datasets:
        return {}
    published = max(datetime.fromisoformat(artifact.manifest.created).timestamp() for artifact in datasets)
    recordings = {}
    for file in entries(store.prepared):
        with suppress(FileNotFoundError):  # the dataset that it belongs to was published in the meantime
            recordings[file] = file.lstat()
    written = max((status.st_mtime for status in recordings.values()), default=0.0)
    if time.time() - written < STAGING_AGE.total_seconds():
        return {}
    return {file: status.st_size for file, status in recordings.items() if status.st_mtime < published}


def discard(store: Store, path: Path) -> None:
    """Delete a directory of the store, after a rename, so that no process sees half of it."""
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
        return False  # another process works in it
    return time.time() - written > STAGING_AGE.total_seconds() and not is_locked(directory / "lock")


def _size(directory: Path) -> int:
    try:
        return sum(path.lstat().st_size for path in directory.rglob("*") if not path.is_dir())
    except FileNotFoundError:
        return 0
