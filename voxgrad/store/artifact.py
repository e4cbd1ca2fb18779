"""Artifacts: names, references, locations, and manifests with the digest of every file.

The directories are the only record: there is no index that could disagree.
"""

import hashlib
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Self

from voxgrad.errors import BadInputError, EnvironmentFailureError, IntegrityError, VoxgradError
from voxgrad.store.manifest import DIGEST_FILE, MANIFEST_FILE, FileEntry, Manifest, NewerSchemaError, Parent, is_digest

KINDS = ("base", "vocoder", "dataset", "voice", "speech", "evaluation", "card", "onnx", "language")

_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]{0,63}")
_REFERENCE = re.compile(r"(?:(?P<kind>[^/@]+)/)?(?P<name>[^/@]+)(?:@(?:latest|v(?P<version>[1-9]\d{0,8})))?")
_DIGEST = re.compile(r"@sha256:(?P<digest>[0-9a-f]{4,64})")
_VERSION = re.compile(r"v(?P<number>[1-9]\d{0,8})(?P<removed>\.removed)?")
_HINT = "Import a copy of it, or create it again."


def is_name(text: str) -> bool:
    """Whether this is a valid name of an artifact."""
    return _NAME.fullmatch(text) is not None


def check_name(text: str, what: str = "name") -> str:
    """Return ``text`` if it is a valid name of an artifact.

    Raises:
        BadInputError: it has other characters, or is too long; the hint proposes one that will do.
    """
    if not is_name(text):
        raise BadInputError(
            f"{text!r} cannot be a {what}",
            "Use 1 to 64 of a-z, 0-9, '-', '_' and '.', not beginning with '-' or '.', "
            f"for example {plain_name(text)!r}.",
        )
    return text


def plain_name(text: str) -> str:
    """The nearest thing to ``text`` that is a name; where nothing is left of it, ``unnamed``.

    >>> plain_name("LJSpeech 1.1")
    'ljspeech-1.1'
    >>> plain_name("../../é")
    'unnamed'
    """
    kept = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip(".-")[:64]
    return kept if is_name(kept) else "unnamed"


def check_kind(text: str) -> str:
    """Return ``text`` if it is one of `KINDS`.

    Raises:
        BadInputError: it is not; the hint names the nearest.
    """
    if text not in KINDS:
        near = get_close_matches(text, KINDS, n=1, cutoff=0.5)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise BadInputError(f"{text!r} is not a kind of artifact", f"{meant}Choose one of {', '.join(KINDS)}.")
    return text


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference: either a digest, or a name with what narrows it."""

    name: str | None = None
    kind: str | None = None
    version: int | None = None
    """None: the latest."""
    digest: str | None = None
    """The first hex digits of a manifest's SHA-256."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``alice``, ``alice@v3``, ``alice@latest``, ``voice/alice@v3`` or ``@sha256:1f2e…``.

        Raises:
            BadInputError: it is none of these.
        """
        by_digest = _DIGEST.fullmatch(text)
        if by_digest is not None:
            return cls(digest=by_digest["digest"])
        parts = _REFERENCE.fullmatch(text)
        if parts is None:
            raise BadInputError(
                f"{text!r} is not a reference", "Write it like alice, alice@v3, voice/alice@v3 or @sha256:1f2e3d."
            )
        kind, version = parts["kind"], parts["version"]
        return cls(
            name=parts["name"],
            kind=check_kind(kind) if kind is not None else None,
            version=int(version) if version is not None else None,
        )


@dataclass(frozen=True, slots=True)
class ArtifactLocation:
    """The location of an artifact, before anything in it is read."""

    kind: str
    name: str
    version: int
    directory: Path
    embedded: bool
    """It came with the package, and is not the user's own."""

    @property
    def ref(self) -> str:
        """``name@vN``."""
        return f"{self.name}@v{self.version}"

    @property
    def fields(self) -> tuple[str, str, int, Path, bool]:
        """All of it."""
        return self.kind, self.name, self.version, self.directory, self.embedded

    @property
    def location(self) -> "ArtifactLocation":
        """This alone, without a manifest: what travels between processes."""
        return ArtifactLocation(*self.fields)

    def __str__(self) -> str:
        """What errors call it, such as ``voice alice@v1``."""
        return f"{self.kind} {self.ref}"


@dataclass(frozen=True, slots=True)
class Layout:
    """``<root>/<kind>/<name>/v<N>`` under the user's own root and the package's."""

    own: Path
    embedded: Path | None

    def versions_directory(self, kind: str, name: str) -> Path:
        """The user's directory that holds the versions of one artifact."""
        return self.own / kind / name

    def names(self, kind: str) -> list[str]:
        """Names in use, sorted."""
        return sorted({path.name for root in self._roots() for path in entries(root / kind) if is_name(path.name)})

    def locations(self, kind: str, name: str) -> list[ArtifactLocation]:
        """Versions that are there, oldest first, the package's before the user's own."""
        locations = [
            ArtifactLocation(kind, name, number, root / kind / name / f"v{number}", root == self.embedded)
            for root in self._roots()
            for number, removed in _versions(root / kind / name)
            if not removed and is_name(name)
        ]
        return sorted(locations, key=lambda location: (not location.embedded, location.version))

    def next_version(self, kind: str, name: str) -> int:
        """A number that was never used, not even by something that is removed now."""
        used = [number for root in self._roots() for number, _ in _versions(root / kind / name)]
        return max(used, default=0) + 1

    def tombstone(self, kind: str, name: str, version: int) -> Path:
        """The mark that a removed artifact leaves: its number is never given to another."""
        return self.versions_directory(kind, name) / f"v{version}.removed"

    def is_free(self, kind: str, name: str, version: int, digest: str) -> bool:
        """Whether an artifact from elsewhere can keep its number: nothing, or only itself, ever had it here."""
        if all(number != version for root in self._roots() for number, _ in _versions(root / kind / name)):
            return True
        try:
            return digest.encode() in self.tombstone(kind, name, version).read_bytes().split()
        except FileNotFoundError:
            return False

    def _roots(self) -> tuple[Path, ...]:
        return (self.own,) if self.embedded is None else (self.own, self.embedded)


def _versions(versions: Path) -> Iterator[tuple[int, bool]]:
    """Version numbers in a directory, and whether each is only the mark that a removed one left."""
    for path in entries(versions):
        parts = _VERSION.fullmatch(path.name)
        if parts is not None:
            yield int(parts["number"]), parts["removed"] is not None


def entries(directory: Path) -> list[Path]:
    """The entries of a directory; empty if it does not exist."""
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


@dataclass(frozen=True, slots=True)
class DamagedArtifact(ArtifactLocation):
    """An artifact whose manifest cannot be read or does not match its digest."""

    error: VoxgradError

    @property
    def state(self) -> str:
        """``newer`` where only a newer version of voxgrad can read it, else ``damaged``."""
        return "newer" if isinstance(self.error, NewerSchemaError) else "damaged"

    @property
    def digests(self) -> frozenset[str]:
        """The digests that it may have had when it was published."""
        return possible_digests(self)

    def problems(self, *, full: bool) -> Iterator[VoxgradError]:
        """What is wrong with it."""
        del full
        yield self.error


@dataclass(frozen=True, slots=True)
class Artifact(ArtifactLocation):
    """An artifact whose manifest matches its digest; its files are checked when they are first used."""

    manifest: Manifest = field(compare=False)
    digest: str
    """SHA-256 of ``manifest.json``, 64 hex digits: the artifact's identity."""
    _verified: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @classmethod
    def load(cls, location: ArtifactLocation) -> Self:
        """Read and check the manifest.

        Raises:
            IntegrityError: it is missing, damaged, of another major schema, or describes another artifact.
            EnvironmentFailureError: it may not be read.
        """
        content = _read(location, MANIFEST_FILE)
        digest = hashlib.sha256(content).hexdigest()
        if _read(location, DIGEST_FILE) != digest_line(digest):
            raise IntegrityError(f"The manifest of {location} does not match its digest", _HINT)
        manifest = Manifest.from_bytes(content, str(location))
        if (manifest.kind, manifest.name, manifest.version) != (location.kind, location.name, location.version):
            raise IntegrityError(
                f"The directory of {location} contains {manifest.kind} {manifest.name}@v{manifest.version}",
                "Move it back to its own directory.",
            )
        return cls(*location.fields, manifest, digest)

    @property
    def digests(self) -> frozenset[str]:
        """The digests by which other manifests may name it."""
        return frozenset({self.digest})

    @property
    def size(self) -> int:
        """Bytes of payload."""
        return sum(entry.size for entry in self.manifest.files)

    @property
    def parent_refs(self) -> dict[str, str]:
        """References of what it was made from, by role."""
        return {role: parent.ref for role, parent in self.manifest.parents.items()}

    def as_parent(self) -> Parent:
        """How an artifact made from this one names it."""
        return Parent(ref=self.ref, digest=self.digest)

    def parent(self, role: str) -> Parent:
        """The artifact that this one was made from in a role such as ``dataset``.

        Raises:
            IntegrityError: it has no parent in that role.
        """
        if role not in self.manifest.parents:
            raise IntegrityError(f"The manifest of {self} names no {role}", _HINT)
        return self.manifest.parents[role]

    def path(self, relative: str) -> Path:
        """Where a payload file lies, by its path in the manifest; the first time, size and digest are verified.

        Raises:
            IntegrityError: the file is not listed, missing, or not what was published.
            EnvironmentFailureError: it may not be read.
        """
        listed = [entry for entry in self.manifest.files if entry.path == relative]
        if not listed:
            raise IntegrityError(f"There is no file {relative!r} in {self}", _HINT)
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
        """What is wrong with its files, one by one: with any byte if ``full``, else with their sizes."""
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
            raise IntegrityError(f"The file {entry.path} of {self} has changed since it was published", _HINT)


StoreEntry = Artifact | DamagedArtifact
"""Something in a store, whether it can be read or not."""


def load_entry(location: ArtifactLocation) -> StoreEntry:
    """The artifact at a location, intact or damaged."""
    try:
        return Artifact.load(location)
    except VoxgradError as error:
        return DamagedArtifact(*location.fields, error)


def digest_line(digest: str) -> bytes:
    """What ``manifest.sha256`` contains; ``sha256sum -c`` reads it too."""
    return f"{digest}  {MANIFEST_FILE}\n".encode()


def possible_digests(location: ArtifactLocation) -> frozenset[str]:
    """The digests that a possibly damaged artifact may have had when it was published."""
    digests = set()
    with suppress(OSError):
        digests.add(hashlib.sha256((location.directory / MANIFEST_FILE).read_bytes()).hexdigest())
    with suppress(OSError, UnicodeDecodeError):
        digests.add((location.directory / DIGEST_FILE).read_bytes()[:64].decode("ascii"))
    return frozenset(digest for digest in digests if is_digest(digest))


def _read(location: ArtifactLocation, file: str) -> bytes:
    try:
        return (location.directory / file).read_bytes()
    except OSError as error:
        raise _unreadable(location, file, error) from error


def _unreadable(location: ArtifactLocation, file: str, error: OSError) -> VoxgradError:
    if isinstance(error, PermissionError):
        return EnvironmentFailureError(
            f"There is no permission to read the file {file} of {location}", "Change the permissions of its directory."
        )
    problem = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
    return IntegrityError(f"The file {file} of {location} {problem}", _HINT)
