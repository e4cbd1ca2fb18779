"""Reading an untrusted archive: what is not exactly as we write it is refused."""

import hashlib
import io
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from voxgrad.errors import BadInputError, IntegrityError
from voxgrad.store.artifact import digest_line
from voxgrad.store.filesystem import explain_os_errors
from voxgrad.store.layout import KINDS, is_name
from voxgrad.store.manifest import DIGEST_FILE, MANIFEST_FILE, Manifest

_AT_ONCE = 8 << 20
"""Bytes that are ever read at once: of a manifest, and of a zip's list of members, which is some 100 000 files."""
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_MEMBER = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)})/(?P<name>[^/]+)/v(?P<version>[1-9]\d{{0,8}})/(?P<path>.+)", re.DOTALL
)
_MEND = "Ask for another copy."


@dataclass(frozen=True, slots=True)
class Packed:
    """An artifact in an archive; its manifest agrees with its digest, its files are not yet read."""

    manifest: Manifest
    content: bytes
    """Of ``manifest.json``."""
    members: dict[str, zipfile.ZipInfo]
    """By path in the artifact."""

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def ref(self) -> str:
        """``name@vN``."""
        return f"{self.manifest.name}@v{self.manifest.version}"

    def changed(self, changes: dict[str, Any]) -> Self:
        """With other fields in its manifest, and so another digest."""
        manifest = self.manifest.model_copy(update=changes)
        return type(self)(manifest, manifest.to_bytes(), self.members)

    def __str__(self) -> str:
        """What errors call it."""
        return f"{self.manifest.kind} {self.ref}"


class _Meagre(io.BufferedReader):
    """A file that is never read at once beyond what an honest archive needs."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _AT_ONCE:
            raise zipfile.BadZipFile("the list of members is too long")
        return super().read(_AT_ONCE if size is None or size < 0 else size)


def is_archive(path: Path) -> bool:
    """Whether a file calls itself an archive of ours, or begins like one."""
    try:
        with path.open("rb") as file:
            head = file.read(200)
    except OSError:
        return path.suffix == ".voxgrad"
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")].decode("utf-8", errors="replace")
    return path.suffix == ".voxgrad" or (head.startswith(b"PK\3\4") and _MEMBER.fullmatch(name) is not None)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive.

    Raises:
        BadInputError: it is none, or cannot be read.
    """
    if not path.is_file():
        raise BadInputError(f"there is no archive {path}", "Give the path of a file.")
    try:
        file = _Meagre(io.FileIO(path))
    except OSError as error:
        raise BadInputError(
            f"{path.name} cannot be read ({error.strerror})", "Change its permissions."
        ) from error
    with file:
        with _damage_told(path.name):
            archive = zipfile.ZipFile(file)
        with archive:
            yield archive


@contextmanager
def _damage_told(file: str) -> Iterator[None]:
    """Turn all that a broken zip can raise into one error; only for bodies that write nothing."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise BadInputError(f"{file} is not a complete voxgrad archive", _MEND) from error


def plan(archive: zipfile.ZipFile, file: str) -> list[Packed]:
    """What an archive says that it holds, the artifact that it is about first.

    Args:
        archive: an open one.
        file: what errors call it.

    Raises:
        BadInputError: it holds a member that no manifest lists, one twice, a link, another path than ours …
        IntegrityError: a manifest does not agree with its digest, or a newer version wrote it.
    """
    groups: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for member in archive.infolist():
        parts = _MEMBER.fullmatch(member.filename)
        mode = stat.S_IFMT(member.external_attr >> 16)
        if parts is None or not is_name(parts["name"]):
            raise _refused(file, f"holds {member.filename!r}, which is not a path in a store")
        if mode not in {0, stat.S_IFREG} or member.is_dir():
            raise _refused(file, f"holds {member.filename!r}, which is not a regular file")
        if member.flag_bits & _ENCRYPTED or member.compress_type not in {
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        }:
            raise _refused(file, f"holds {member.filename!r}, which uses an unsupported compression")
        root, path = member.filename[: parts.start("path") - 1], parts["path"]
        if path in groups.setdefault(root, {}):
            raise _refused(file, f"holds {member.filename!r} twice")
        if not groups[root] and path != MANIFEST_FILE:
            raise _refused(file, f"does not begin {root} with its manifest")
        groups[root][path] = member
    if not groups:
        raise _refused(file, "holds nothing")
    return [_read(archive, root, members, file) for root, members in groups.items()]


def _read(archive: zipfile.ZipFile, root: str, members: dict[str, zipfile.ZipInfo], file: str) -> Packed:
    """The manifest of one artifact, and its members if they are exactly those that it lists."""
    content, line = (_small(archive, members, name, file) for name in (MANIFEST_FILE, DIGEST_FILE))
    if line != digest_line(hashlib.sha256(content).hexdigest()):
        raise IntegrityError(f"The manifest of {root} in {file} does not agree with its digest", _MEND)
    manifest = Manifest.from_bytes(content, f"{root} in {file}")
    if root != f"{manifest.kind}/{manifest.name}/v{manifest.version}" or not _is_plain(manifest.model_dump()):
        raise _refused(file, f"holds a manifest in {root} that voxgrad did not write")
    listed = {entry.path: entry.size for entry in manifest.files}
    stray = listed.keys() ^ (members.keys() - {MANIFEST_FILE, DIGEST_FILE})
    if stray:
        held = "misses" if min(stray) in listed else "holds"
        raise _refused(file, f"{held} {min(stray)!r} of {root}, against its manifest")
    _check_paths(listed, file)
    for path, size in listed.items():
        if members[path].file_size != size:
            raise _refused(file, f"gives another size for {path!r} than the manifest of {root}")
    return Packed(manifest, content, members)


def _small(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str, file: str) -> bytes:
    if name not in members or members[name].file_size > _AT_ONCE:
        raise _refused(file, f"holds no {name} of a plausible size")
    return b"".join(_chunks(archive, members[name], members[name].file_size, file))


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int, file: str) -> Iterator[bytes]:
    """A member's content, ``size`` bytes and not one more, whatever it says of itself."""
    left = size
    with _damage_told(file):
        source = archive.open(member)
    with source:
        while True:
            with _damage_told(file):
                chunk = source.read(min(_CHUNK, left + 1))
            left -= len(chunk)
            if left < 0 or (not chunk and left):
                raise _refused(file, f"holds {member.filename!r} whose size differs from its header")
            if not chunk:
                return
            yield chunk


def _check_paths(paths: Iterable[str], file: str) -> None:
    """Refuse what some file system takes for another file, for a device or for a stream of one."""
    folded = sorted(unicodedata.normalize("NFC", path).casefold() for path in paths)
    for path in paths:
        parts = path.split("/")
        strange = any(sign == ":" or unicodedata.category(sign).startswith("C") for sign in path)
        if strange or len(path) > 1024 or any(part[-1] in " ." or len(part.encode()) > 255 for part in parts):
            raise _refused(file, f"holds {path!r}, which is not a portable file name")
    for one, other in pairwise(sorted(f"{path}/" for path in folded)):
        if other.startswith(one):
            raise _refused(file, f"holds {one.rstrip('/')!r} in two forms")


def unpack(archive: zipfile.ZipFile, packed: Packed, directory: Path, file: str) -> None:
    """Write an artifact's files into an empty directory.

    Raises:
        BadInputError: a file has another size than it tells, or the archive is damaged.
        IntegrityError: a file does not agree with its digest.
        EnvironmentFailureError: the disk is full.
    """
    for entry in packed.manifest.files:
        target, digest = directory / entry.path, hashlib.sha256()
        with explain_os_errors(f"import {packed}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as written:
                for chunk in _chunks(archive, packed.members[entry.path], entry.size, file):
                    digest.update(chunk)
                    written.write(chunk)
        if digest.hexdigest() != entry.sha256:
            raise IntegrityError(f"{entry.path} of {packed} in {file} is not what was published", _MEND)


def _is_plain(value: Any) -> bool:
    """Whether a JSON value is without control characters, which could speak to a terminal, and can be written again."""
    match value:
        case str():
            return all(sign in "\n\r\t" or unicodedata.category(sign) not in {"Cc", "Cs"} for sign in value)
        case dict():
            return all(_is_plain(part) for pair in value.items() for part in pair)
        case list() | tuple():
            return all(_is_plain(part) for part in value)
        case float():
            return value - value == 0
    return True


def _refused(file: str, reason: str) -> BadInputError:
    return BadInputError(f"{file} {reason}", _MEND)
