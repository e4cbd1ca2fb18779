"""Archives: artifacts in one file to give away, and how a stranger's file is taken in without being trusted.

An archive is a zip whose members lie as in the store, ``<kind>/<name>/v<N>/…``. The artifact that it is about comes
first, its manifest before all else; then, where they were wanted, those that it was made from.
"""

import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from voxgrad.events import Advanced, Began, Emit, Ended
from voxgrad.store.artifact import Artifact
from voxgrad.store.filesystem import explain_os_errors, sync_directory
from voxgrad.store.manifest import DIGEST_FILE, MANIFEST_FILE

SUFFIX = ".voxgrad"

_CHUNK = 1 << 20  # bytes
_UNIX = 3  # what a zip calls the system whose file modes it tells
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest date that a zip can tell: the same artifact shall give the same archive."""
_PLAIN_FILE = 0o100644 << 16


def export(artifacts: Sequence[Artifact], target: Path, emit: Emit) -> None:
    """Write an archive, whole or not at all.

    Args:
        artifacts: the one that it is about, then those that it was made from.
        target: the file; one that lies there is replaced.
        emit: told of progress.

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
                # Stored, for sound and weights hardly shrink.
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
