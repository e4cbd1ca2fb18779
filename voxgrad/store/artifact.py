"""A published artifact: a directory whose manifest vouches for every byte."""

import hashlib
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from voxgrad.errors import EnvironmentFailureError, IntegrityError, VoxgradError
from voxgrad.store.layout import Slot
from voxgrad.store.manifest import (
    DIGEST_FILE,
    MANIFEST_FILE,
    FileEntry,
    Manifest,
    NewerSchemaError,
    Parent,
    is_digest,
)

_MEND = "Import a copy of it, or create it again."


@dataclass(frozen=True, slots=True)
class Damaged(Slot):
    """A slot whose manifest cannot be read or believed."""

    error: VoxgradError

    @property
    def state(self) -> str:
        """``newer`` where only a newer version of voxgrad can read it, else ``damaged``."""
        return "newer" if isinstance(self.error, NewerSchemaError) else "damaged"


@dataclass(frozen=True, slots=True)
class Artifact(Slot):
    """An artifact whose manifest agrees with its digest; its files are checked when they are asked for."""

    manifest: Manifest = field(compare=False)
    digest: str
    """SHA-256 of ``manifest.json``, 64 hex digits: the artifact's identity."""
    _verified: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @classmethod
    def load(cls, slot: Slot) -> Self:
        """Read and check the manifest that lies in ``slot``.

        Raises:
            IntegrityError: it is missing, damaged, of a newer major schema, or describes another artifact.
            EnvironmentFailureError: it may not be read.
        """
        content = _read(slot, MANIFEST_FILE)
        digest = hashlib.sha256(content).hexdigest()
        if _read(slot, DIGEST_FILE) != digest_line(digest):
            raise IntegrityError(f"The manifest of {slot} does not agree with its digest", _MEND)
        manifest = Manifest.from_bytes(content, str(slot))
        if (manifest.kind, manifest.name, manifest.version) != (slot.kind, slot.name, slot.version):
            raise IntegrityError(
                f"The directory of {slot} contains {manifest.kind} {manifest.name}@v{manifest.version}",
                "Move it back to where it belongs.",
            )
        return cls(slot.kind, slot.name, slot.version, slot.directory, slot.embedded, manifest, digest)

    @property
    def size(self) -> int:
        """Bytes of payload."""
        return sum(entry.size for entry in self.manifest.files)

    def as_parent(self) -> Parent:
        """How an artifact made from this one names it."""
        return Parent(ref=self.ref, digest=self.digest)

    def parent(self, role: str) -> Parent:
        """The artifact that this one was made from in a role such as ``dataset``.

        Raises:
            IntegrityError: it has no parent in that role.
        """
        if role not in self.manifest.parents:
            raise IntegrityError(f"The manifest of {self} names no {role}", _MEND)
        return self.manifest.parents[role]

    def path(self, relative: str) -> Path:
        """Where a payload file lies; the first time, its size and digest are verified.

        Args:
            relative: as the manifest lists it, with ``/`` between its parts.

        Raises:
            IntegrityError: the file is not listed, missing, or not what was published.
            EnvironmentFailureError: it may not be read.
        """
        listed = [entry for entry in self.manifest.files if entry.path == relative]
        if not listed:
            raise IntegrityError(f"There is no file {relative!r} in {self}", _MEND)
        path = self.directory / relative
        if relative not in self._verified:
            self._verify(listed[0], path)
            self._verified.add(relative)
        return path

    def has_all_files(self) -> bool:
        """Whether every file is there with its right size; their content is not read."""
        try:
            return all((self.directory / e.path).stat().st_size == e.size for e in self.manifest.files)
        except OSError:
            return False

    def problems(self, *, full: bool) -> Iterator[VoxgradError]:
        """What is wrong with its files, one by one; nothing where it is intact.

        Args:
            full: read every byte; otherwise sizes alone are compared.
        """
        for entry in self.manifest.files:
            try:
                self._verify(entry, self.directory / entry.path, content=full)
            except VoxgradError as error:
                yield error
        listed = {entry.path for entry in self.manifest.files} | {MANIFEST_FILE, DIGEST_FILE}
        for path in sorted(self.directory.rglob("*")):
            relative = path.relative_to(self.directory).as_posix()
            if relative not in listed and (path.is_symlink() or not path.is_dir()):
                yield IntegrityError(f"The file {relative} of {self} is not in its manifest", "Delete it.")

    def _verify(self, entry: FileEntry, path: Path, *, content: bool = True) -> None:
        try:
            status = path.lstat()
            # Asked before it is opened: a pipe in its place would have us wait for ever.
            intact = stat.S_ISREG(status.st_mode) and status.st_size == entry.size
            if intact and content:
                with path.open("rb") as file:
                    intact = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
        except OSError as error:
            raise _unreadable(self, entry.path, error) from error
        if not intact:
            raise IntegrityError(f"The file {entry.path} of {self} is not what was published", _MEND)


def digest_line(digest: str) -> bytes:
    """What ``manifest.sha256`` contains; ``sha256sum -c`` reads it too."""
    return f"{digest}  {MANIFEST_FILE}\n".encode()


def identities(slot: Slot) -> frozenset[str]:
    """The digests that what lies in a slot may have had when it was published, damaged as it may be now."""
    found = set()
    with suppress(OSError):
        found.add(hashlib.sha256((slot.directory / MANIFEST_FILE).read_bytes()).hexdigest())
    with suppress(OSError, UnicodeDecodeError):
        found.add((slot.directory / DIGEST_FILE).read_bytes()[:64].decode("ascii"))
    return frozenset(digest for digest in found if is_digest(digest))


def _read(slot: Slot, file: str) -> bytes:
    try:
        return (slot.directory / file).read_bytes()
    except OSError as error:
        raise _unreadable(slot, file, error) from error


def _unreadable(slot: Slot, file: str, error: OSError) -> VoxgradError:
    if isinstance(error, PermissionError):
        return EnvironmentFailureError(
            f"There is no permission to read the file {file} of {slot}",
            "Change the permissions of its directory.",
        )
    problem = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
    return IntegrityError(f"The file {file} of {slot} {problem}", _MEND)
