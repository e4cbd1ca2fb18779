"""Archives: artifacts in one file, for backup or sharing.

All of an archive is checked before any of it is published; what is not exactly as we write it is refused.
"""

import hashlib
import io
import re
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError
from voxgrad.events import Emit, tracked
from voxgrad.files import atomic_write, explain_os_errors
from voxgrad.store.artifact import KINDS, Artifact, StoreEntry, check_name, digest_line, is_name, possible_digests
from voxgrad.store.maintenance import move_to_trash
from voxgrad.store.manifest import DIGEST_FILE, MANIFEST_FILE, Manifest
from voxgrad.store.publish import StagedArtifact
from voxgrad.store.store import Store

SUFFIX = ".voxgrad"
LIMIT = 50 * 10**9
"""Bytes that an archive may unpack to, unless more is allowed."""

_CHUNK = 1 << 20  # bytes
_AT_ONCE = 8 << 20
"""Bytes that are ever read at once: of a manifest, and of a zip's list of members, which is some 100 000 files."""
_ENCRYPTED = 0x1
_MEMBER = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)})/(?P<name>[^/]+)/v(?P<version>[1-9]\d{{0,8}})/(?P<path>.+)", re.DOTALL
)
_HINT = "Ask for another copy."
_UNIX = 3  # what a zip calls the system whose file modes it tells
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest date that a zip can tell: the same artifact shall give the same archive."""
_PLAIN_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class ArchivedArtifact:
    """An artifact in an archive; its manifest matches its digest, its files are not yet read."""

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
        """The same with other fields in its manifest, so with another digest."""
        manifest = self.manifest.model_copy(update=changes)
        return type(self)(manifest, manifest.to_bytes(), self.members)

    def __str__(self) -> str:
        """What errors call it."""
        return f"{self.manifest.kind} {self.ref}"


def export(artifacts: Sequence[Artifact], target: Path, emit: Emit) -> None:
    """Write an archive, complete or not at all: of the artifact that it is about, then those that it was made from.

    Raises:
        IntegrityError: a file is not what was published.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    total = sum(len(artifact.manifest.files) for artifact in artifacts)
    # Stored, for audio and weights hardly shrink.
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "x", zipfile.ZIP_STORED) as archive:
        for _ in tracked(_packed(archive, artifacts), "export", "files", emit, total, note=str):
            pass


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


@dataclass(frozen=True, slots=True)
class ImportedArtifact:
    """An artifact of an archive, in the store."""

    artifact: Artifact
    was: str
    """Its reference in the archive; the same, unless its number was taken here."""
    new: bool
    """False where it was here before."""


def import_archive(
    store: Store, path: Path, *, name: str | None, limit: int, emit: Emit
) -> tuple[ImportedArtifact, ...]:
    """Publish the artifacts of an archive; those that the store has already are reused.

    An artifact keeps its number, and so its digest, unless another has that number here; then it gets the next one,
    and those that were made from it name it so. A damaged artifact is replaced by its intact copy. ``name`` is for the
    artifact that the archive is about; all of it may unpack to ``limit`` bytes.

    Returns:
        The artifact that the archive is about, then those that it was made from.

    Raises:
        BadInputError: it is not an archive, or contains what voxgrad does not write.
        IntegrityError: something in it does not agree with its digest, or a newer version wrote it.
        EnvironmentFailureError: the disk is full or cannot be written.
    """
    with opened(path) as archive:
        contents = plan(archive, path.name)
        if name is not None:
            check_name(name)
            contents[0] = contents[0].changed({"name": name})
        _check_room(store, contents, limit, path.name)
        with ExitStack() as stack:
            # Parents first: no child is ever here without those that came with it.
            ordered = _parents_first(contents)
            arrived: dict[str, ImportedArtifact] = {}
            staged_by_digest: dict[str, StagedArtifact] = {}
            for packed in tracked(ordered, "import", "artifacts", emit, note=str):
                known = _known(store, packed) or _known(store, _rewritten(packed, arrived))
                if known is None:
                    staged = stack.enter_context(store.stage(packed.manifest.kind, packed.manifest.name))
                    staged_by_digest[packed.digest] = staged
                    unpack(archive, packed, staged.directory, path.name)
                else:
                    arrived[packed.digest] = ImportedArtifact(known, packed.ref, new=False)
            for packed in ordered:
                if packed.digest in staged_by_digest:
                    arrived[packed.digest] = _published(store, staged_by_digest[packed.digest], packed, arrived)
    return tuple(arrived[packed.digest] for packed in contents)


def _check_room(store: Store, contents: list[ArchivedArtifact], limit: int, file: str) -> None:
    total = sum(entry.size for packed in contents for entry in packed.manifest.files)
    if total > limit:
        raise BadInputError(
            f"{file} unpacks to {total / 1e9:.1f} GB, more than the limit of {limit / 1e9:g} GB",
            "Raise --limit if you trust the source.",
        )
    place = next(place for place in (store.home, *store.home.parents) if place.is_dir())
    free = shutil.disk_usage(place).free
    if total > free:
        raise EnvironmentFailureError(
            f"{file} unpacks to {total / 1e6:.1f} MB, but the disk has only {free / 1e6:.1f} MB left",
            "Free some space, or choose another location with --home.",
        )


def _parents_first(contents: list[ArchivedArtifact]) -> list[ArchivedArtifact]:
    by_digest = {packed.digest: packed for packed in contents}
    graph = {
        digest: {parent.digest for parent in packed.manifest.parents.values()} & by_digest.keys()
        for digest, packed in by_digest.items()
    }
    return [by_digest[digest] for digest in TopologicalSorter(graph).static_order()]


def _known(store: Store, packed: ArchivedArtifact) -> Artifact | None:
    """The intact artifact that is this one, but perhaps for its number; None where there is none."""
    for artifact in store.list(packed.manifest.kind):
        renumbered = artifact.manifest.model_copy(update={"version": packed.manifest.version})
        same = packed.digest == artifact.digest or renumbered == packed.manifest
        if same and not any(artifact.problems(full=True)):
            return artifact
    return None


def _published(
    store: Store, staged: StagedArtifact, packed: ArchivedArtifact, arrived: dict[str, ImportedArtifact]
) -> ImportedArtifact:
    ready = _rewritten(packed, arrived)
    for entry in store.scan(packed.manifest.kind):
        if _is_ruin_of(entry, ready):
            move_to_trash(store, entry)
    artifact, new = staged.publish_copy(
        ready.manifest, ready.content, lambda: _known(store, packed) or _known(store, ready)
    )
    return ImportedArtifact(artifact, packed.ref, new=new)


def _is_ruin_of(entry: StoreEntry, packed: ArchivedArtifact) -> bool:
    """Whether this is the same artifact, damaged; it is intact where another import has just published it."""
    same = not entry.embedded and packed.ref == entry.ref and packed.digest in possible_digests(entry)
    return same and any(entry.problems(full=True))


def _rewritten(packed: ArchivedArtifact, arrived: dict[str, ImportedArtifact]) -> ArchivedArtifact:
    """As it will be published: its parents may have other numbers here."""
    parents = {
        role: parent.model_copy(update=arrived[parent.digest].artifact.as_parent().model_dump())
        if parent.digest in arrived
        else parent
        for role, parent in packed.manifest.parents.items()
    }
    return packed if parents == packed.manifest.parents else packed.changed({"parents": parents})


class _BoundedReader(io.BufferedReader):
    """A file that is never read at once beyond what an honest archive needs."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _AT_ONCE:
            raise zipfile.BadZipFile("the list of members is too long")
        return super().read(_AT_ONCE if size is None or size < 0 else size)


def is_archive(path: Path) -> bool:
    """Whether a file is named like an archive, or begins like one."""
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
        BadInputError: it is not an archive, or cannot be read.
    """
    if not path.is_file():
        raise BadInputError(f"there is no archive {path}", "Give the path of a file.")
    try:
        file = _BoundedReader(io.FileIO(path))
    except OSError as error:
        raise BadInputError(f"{path.name} cannot be read ({error.strerror})", "Change its permissions.") from error
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
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BadInputError(f"{file} is not a complete voxgrad archive", _HINT) from error


def plan(archive: zipfile.ZipFile, file: str) -> list[ArchivedArtifact]:
    """What an archive, which errors call ``file``, says that it holds; the artifact that it is about first.

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
        if member.flag_bits & _ENCRYPTED or member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
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


def _read(archive: zipfile.ZipFile, root: str, members: dict[str, zipfile.ZipInfo], file: str) -> ArchivedArtifact:
    """The manifest of one artifact, and its members if they are exactly those that it lists."""
    content, line = (_small(archive, members, name, file) for name in (MANIFEST_FILE, DIGEST_FILE))
    if line != digest_line(hashlib.sha256(content).hexdigest()):
        raise IntegrityError(f"The manifest of {root} in {file} does not match its digest", _HINT)
    manifest = Manifest.from_bytes(content, f"{root} in {file}")
    if root != f"{manifest.kind}/{manifest.name}/v{manifest.version}" or not _is_plain(manifest.model_dump()):
        raise _refused(file, f"holds a manifest in {root} that voxgrad did not write")
    listed = {entry.path: entry.size for entry in manifest.files}
    stray = listed.keys() ^ (members.keys() - {MANIFEST_FILE, DIGEST_FILE})
    if stray:
        held = "misses" if min(stray) in listed else "holds"
        raise _refused(file, f"{held} {min(stray)!r} of {root}, unlike its manifest")
    _check_paths(listed, file)
    for path, size in listed.items():
        if members[path].file_size != size:
            raise _refused(file, f"and the manifest of {root} give different sizes for {path!r}")
    return ArchivedArtifact(manifest, content, members)


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
    for path, other in pairwise(sorted(f"{path}/" for path in folded)):
        if other.startswith(path):
            raise _refused(file, f"holds {path.rstrip('/')!r} in two forms")


def unpack(archive: zipfile.ZipFile, packed: ArchivedArtifact, directory: Path, file: str) -> None:
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
            raise IntegrityError(f"{entry.path} of {packed} in {file} has changed since it was published", _HINT)


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
    return BadInputError(f"{file} {reason}", _HINT)
