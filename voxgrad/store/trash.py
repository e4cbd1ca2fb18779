"""Removing and bringing back: an artifact goes to the trash in one rename, and returns in one."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from voxgrad.errors import BadInputError
from voxgrad.store.artifact import Artifact, identities
from voxgrad.store.filesystem import courtesy_lock, explain_os_errors, sync_directory, write_file
from voxgrad.store.layout import KINDS, Reference, Slot, entries, is_name
from voxgrad.store.lineage import Found, Lineage, digests_of, runs_from
from voxgrad.store.store import Store, loaded
from voxgrad.system_errors import is_disk_full

DERIVED = "onnx"
"""The kind of what was only made so that something else is quicker."""
_TIME = "%Y%m%dT%H%M%S-%fZ"
_NAME = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)})\.(?P<name>.+)\.v(?P<version>[1-9]\d{{0,8}})\.(?P<removed>[^.]+)\.[0-9a-f]{{8}}"
)
"""What a directory in the trash is called: all that restoring needs, and nothing that takes space to write."""


@dataclass(frozen=True, slots=True)
class Trashed:
    """A removed artifact."""

    slot: Slot
    """What it was, with its directory in the trash."""
    removed: datetime
    """UTC, to the microsecond."""

    @property
    def found(self) -> Found:
        """The artifact, as it lies in the trash."""
        return loaded(self.slot)


def remove(store: Store, one: Found, *, cascade: bool = False) -> tuple[Found, ...]:
    """Move an artifact to the trash, where it stays until it is collected; its number is never used again.

    Args:
        store: that it is in.
        one: what to remove, intact or damaged.
        cascade: also everything that was made from it.

    Returns:
        What was removed, in that order: what was made from a thing goes before the thing.

    Raises:
        BadInputError: it came with the package, or something needs it.
        EnvironmentFailureError: the disk is full, or the place may not be written.
    """
    if one.embedded:
        raise BadInputError(f"{one} comes with voxgrad and cannot be removed", "Leave it where it is.")
    dependents = [made for made in Lineage.of(store).descendants(one) if not made.embedded]
    runs = runs_from(store, [one, *dependents])
    if runs:
        raise BadInputError(
            f"{one} is needed by the training run {_few(runs)}", "Finish the run first: see `voxgrad runs`."
        )
    # Graphs go along: they can be made again.
    needing = [made for made in dependents if made.kind != DERIVED]
    if needing and not cascade:
        raise BadInputError(
            f"{one} is needed by {_few([str(made) for made in needing])}",
            "Remove that first, or all of it with --cascade.",
        )
    going = (*reversed(dependents), one)
    for each in going:
        move_to_trash(store, each)
    return going


def restore(store: Store, ref: str) -> tuple[Found, ...]:
    """Bring an artifact back from the trash, with what it was made from where that lies there too.

    Args:
        store: that it was in.
        ref: as for `Store.find`; without a number, what was removed last.

    Returns:
        What came back, parents first.

    Raises:
        BadInputError: nothing in the trash answers to it, or its place is taken.
        EnvironmentFailureError: the place may not be written.
    """
    trashed = in_trash(store)
    wanted = _chosen(trashed, Reference.parse(ref), ref)
    by_digest = {digest: one for one in reversed(trashed) for digest in identities(one.slot)}
    coming: list[Trashed] = []
    waiting = [wanted]
    while waiting:
        one = waiting.pop()
        coming.append(one)
        found = one.found
        parents = found.manifest.parents.values() if isinstance(found, Artifact) else ()
        here = {known.digest for known in store.list()} if parents else set()
        waiting += [by_digest[p.digest] for p in parents if p.digest in by_digest and p.digest not in here]
    return tuple(_return(store, one) for one in dict.fromkeys(reversed(coming)))


def in_trash(store: Store) -> list[Trashed]:
    """What was removed and can still be brought back, the last removed first."""
    found = (_trashed(path) for path in entries(store.home / "trash"))
    return sorted((one for one in found if one is not None), key=lambda one: one.removed, reverse=True)


def move_to_trash(store: Store, one: Found) -> None:
    """Move one artifact to the trash; its mark tells its digest, so that it alone can have its number again.

    Raises:
        EnvironmentFailureError: the place may not be written.
    """
    now = datetime.now(UTC).strftime(_TIME)
    target = store.home / "trash" / f"{one.kind}.{one.name}.v{one.version}.{now}.{uuid4().hex[:8]}"
    versions = one.directory.parent
    with explain_os_errors(f"remove {one}"), courtesy_lock(store.home / "store.lock"):
        target.parent.mkdir(exist_ok=True)
        # The mark first: beside an artifact that is still there it means nothing.
        _mark(store.layout.tombstone(one.kind, one.name, one.version), digests_of(one))
        sync_directory(versions)
        one.directory.rename(target)
        for directory in (target.parent, versions, store.home):
            sync_directory(directory)


def _mark(tombstone: Path, digests: frozenset[str]) -> None:
    try:
        write_file(tombstone, "\n".join(sorted(digests)).encode())
    except OSError as error:
        # Whoever removes something from a full disk shall not be stopped by the want of space.
        if not is_disk_full(error):
            raise
        write_file(tombstone, b"")


def _return(store: Store, one: Trashed) -> Found:
    versions = store.layout.versions_directory(one.slot.kind, one.slot.name)
    target = versions / f"v{one.slot.version}"
    with explain_os_errors(f"restore {one.slot}"), courtesy_lock(store.home / "store.lock"):
        if target.exists():
            raise BadInputError(
                f"The place of {one.slot} is taken", f"Remove what lies there: {one.slot.ref}."
            )
        versions.mkdir(parents=True, exist_ok=True)
        one.slot.directory.rename(target)
        for directory in (versions, versions.parent, versions.parent.parent, one.slot.directory.parent):
            sync_directory(directory)
    return loaded(Slot(one.slot.kind, one.slot.name, one.slot.version, target, embedded=False))


def _chosen(trashed: list[Trashed], reference: Reference, ref: str) -> Trashed:
    """The last removed that answers to a reference."""
    for one in trashed:
        slot = one.slot
        by_name = (slot.name, reference.kind, reference.version) == (
            reference.name,
            slot.kind if reference.kind is not None else None,
            slot.version if reference.version is not None else None,
        )
        by_digest = reference.digest is not None and any(
            digest.startswith(reference.digest) for digest in identities(slot)
        )
        if by_name or by_digest:
            return one
    raise BadInputError(f"There is no {ref} in the trash", "See what is there with `voxgrad restore`.")


def _trashed(path: Path) -> Trashed | None:
    """What lies in the trash under a name; None where it is none that we gave."""
    parts = _NAME.fullmatch(path.name)
    if parts is None or not is_name(parts["name"]):
        return None
    try:
        removed = datetime.strptime(parts["removed"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Trashed(Slot(parts["kind"], parts["name"], int(parts["version"]), path, embedded=False), removed)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
