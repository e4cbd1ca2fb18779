"""Archives: artifacts in one file to give away; all of one is checked before any of it is published."""

import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from uuid import uuid4

from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.events import Advanced, Began, Emit, Ended
from voxgrad.store.archive_reader import Packed, opened, plan, unpack
from voxgrad.store.artifact import Artifact, Damaged, identities
from voxgrad.store.filesystem import explain_os_errors, sync_directory
from voxgrad.store.layout import check_name
from voxgrad.store.lineage import Found
from voxgrad.store.manifest import DIGEST_FILE, MANIFEST_FILE
from voxgrad.store.publish import StagedArtifact
from voxgrad.store.store import Store
from voxgrad.store.trash import move_to_trash

SUFFIX = ".voxgrad"

_CHUNK = 1 << 20  # bytes
_UNIX = 3  # what a zip calls the system whose file modes it tells
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest date that a zip can tell: the same artifact shall give the same archive."""
_PLAIN_FILE = 0o100644 << 16


def export(artifacts: Sequence[Artifact], target: Path, emit: Emit) -> None:
    """Write an archive, complete or not at all.

    Args:
        artifacts: the one that it is about, then those that it was made from.
        target: the file; one that lies there is replaced.
        emit: called with progress events.

    Raises:
        IntegrityError: a file is not what was published.
        EnvironmentFailureError: the disk is full, or the place may not be written.
    """
    beside = target.with_name(f".{target.name}.{uuid4().hex}")
    total = sum(len(artifact.manifest.files) for artifact in artifacts)
    with explain_os_errors(f"write {target.name}"):
        try:
            with beside.open("xb") as file:
                emit(Began("export", total, "files"))
                # Stored, for audio and weights hardly shrink.
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                    for number, path in enumerate(_packed(archive, artifacts), 1):
                        emit(Advanced("export", number, path))
                file.flush()
                os.fsync(file.fileno())
                emit(Ended("export"))
            beside.replace(target)
            sync_directory(target.absolute().parent)
        finally:
            beside.unlink(missing_ok=True)


def _packed(archive: zipfile.ZipFile, artifacts: Iterable[Artifact]) -> Iterator[str]:
    for artifact in artifacts:
        root = f"{artifact.kind}/{artifact.name}/v{artifact.version}"
        for name in (MANIFEST_FILE, DIGEST_FILE):
            _pack(archive, f"{root}/{name}", artifact.directory / name)
        for entry in artifact.manifest.files:
            _pack(archive, f"{root}/{entry.path}", artifact.path(entry.path))
            yield entry.path


def _pack(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.external_attr, member.create_system = _PLAIN_FILE, _UNIX
    member.file_size = path.stat().st_size
    with path.open("rb") as source, archive.open(member, "w") as target:
        shutil.copyfileobj(source, target, _CHUNK)


LIMIT = 50 * 10**9
"""Bytes that an archive may unpack to, unless more is allowed."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An artifact of an archive, in the store."""

    artifact: Artifact
    was: str
    """Its reference in the archive; the same, unless its number was taken here."""
    new: bool
    """False where it was here before."""


def import_archive(
    store: Store, path: Path, *, name: str | None, limit: int, emit: Emit
) -> tuple[Arrival, ...]:
    """Publish what is in an archive, and what is here already only once.

    An artifact keeps its number, and so its digest, unless another has that number here; then it gets the next one,
    and those that were made from it name it so. A damaged artifact is replaced by its intact copy.

    Args:
        store: where it goes.
        path: of the archive.
        name: for the artifact that it is about; None keeps its own.
        limit: bytes that all of it may unpack to.
        emit: called with progress events.

    Returns:
        The artifact that the archive is about, then those that it was made from.

    Raises:
        BadInputError: it is no archive, or holds what no archive of ours holds.
        IntegrityError: something in it does not agree with its digest, or a newer version wrote it.
        EnvironmentFailureError: the disk is full, or the place may not be written.
    """
    with opened(path) as archive:
        contents = plan(archive, path.name)
        if name is not None:
            check_name(name)
            contents[0] = contents[0].changed({"name": name})
        _check_room(store, contents, limit, path.name)
        with ExitStack() as stack:
            # Parents first: no child is ever here without those that came with it.
            ordered, arrived, staged_by_digest = (
                _parents_first(contents),
                dict[str, Arrival](),
                dict[str, StagedArtifact](),
            )
            emit(Began("import", len(contents), "artifacts"))
            for number, packed in enumerate(ordered, 1):
                known = _known(store, packed) or _known(store, _rewritten(packed, arrived))
                if known is None:
                    staged = stack.enter_context(store.stage(packed.manifest.kind, packed.manifest.name))
                    staged_by_digest[packed.digest] = staged
                    unpack(archive, packed, staged.directory, path.name)
                else:
                    arrived[packed.digest] = Arrival(known, packed.ref, new=False)
                emit(Advanced("import", number, str(packed)))
            for packed in ordered:
                if packed.digest in staged_by_digest:
                    arrived[packed.digest] = _published(
                        store, staged_by_digest[packed.digest], packed, arrived
                    )
            emit(Ended("import"))
    return tuple(arrived[packed.digest] for packed in contents)


def _check_room(store: Store, contents: list[Packed], limit: int, file: str) -> None:
    total = sum(entry.size for packed in contents for entry in packed.manifest.files)
    if total > limit:
        raise BadInputError(
            f"{file} unpacks to {total / 1e9:.1f} GB, more than the limit of {limit / 1e9:g} GB",
            "Allow more with --limit, if you trust where it comes from.",
        )
    place = next(place for place in (store.home, *store.home.parents) if place.is_dir())
    free = shutil.disk_usage(place).free
    if total > free:
        raise EnvironmentFailureError(
            f"{file} unpacks to {total / 1e6:.1f} MB, and the disk has {free / 1e6:.1f} MB left",
            "Free some space, or choose another place with --home.",
        )


def _parents_first(contents: list[Packed]) -> list[Packed]:
    by_digest = {packed.digest: packed for packed in contents}
    graph = {
        digest: {parent.digest for parent in packed.manifest.parents.values()} & by_digest.keys()
        for digest, packed in by_digest.items()
    }
    return [by_digest[digest] for digest in TopologicalSorter(graph).static_order()]


def _known(store: Store, packed: Packed) -> Artifact | None:
    """The intact artifact that is this one, but perhaps for its number; None where there is none."""
    for one in store.list(packed.manifest.kind):
        renumbered = one.manifest.model_copy(update={"version": packed.manifest.version})
        same = packed.digest == one.digest or renumbered == packed.manifest
        if same and not any(one.problems(full=True)):
            return one
    return None


def _published(store: Store, staged: StagedArtifact, packed: Packed, arrived: dict[str, Arrival]) -> Arrival:
    ready = _rewritten(packed, arrived)
    for one in store.scan(packed.manifest.kind):
        if _is_ruin_of(one, ready):
            move_to_trash(store, one)

    def known() -> Artifact | None:
        return _known(store, packed) or _known(store, ready)

    artifact, new = staged.publish_copy(ready.manifest, ready.content, known)
    return Arrival(artifact, packed.ref, new=new)


def _is_ruin_of(one: Found, packed: Packed) -> bool:
    """Whether this is the same artifact, damaged; it is intact where another import has just published it."""
    same = not one.embedded and packed.ref == one.ref and packed.digest in identities(one)
    return same and (isinstance(one, Damaged) or any(one.problems(full=True)))


def _rewritten(packed: Packed, arrived: dict[str, Arrival]) -> Packed:
    """As it will be published: its parents may have other numbers here."""
    parents = {
        role: parent.model_copy(
            update={
                "ref": arrived[parent.digest].artifact.ref,
                "digest": arrived[parent.digest].artifact.digest,
            }
        )
        if parent.digest in arrived
        else parent
        for role, parent in packed.manifest.parents.items()
    }
    return packed if parents == packed.manifest.parents else packed.changed({"parents": parents})
