"""Publishing: one rename turns a staged directory into an artifact."""

import hashlib
import os
import platform
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import voxgrad
from voxgrad.errors import EnvironmentFailureError, IntegrityError
from voxgrad.files import advisory_lock, explain_os_errors, sync_directory, sync_file, write_file
from voxgrad.store.artifact import Artifact, ArtifactLocation, Layout, digest_line
from voxgrad.store.manifest import DIGEST_FILE, MANIFEST_FILE, FileEntry, Identified, Manifest, Parent

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StagedArtifact:
    """An unpublished artifact. Write its payload into ``directory``, then call `publish` once."""

    kind: str
    name: str
    directory: Path
    _home: Path
    _layout: Layout

    def publish(
        self,
        *,
        fingerprint: str,
        settings: Mapping[str, Any],
        parents: Mapping[str, Identified] = _NOTHING,
        seed: int | None = None,
        device: str | None = None,
        tools: Mapping[str, str] = _NOTHING,
        metrics: Mapping[str, Any] = _NOTHING,
        consent: str | None = None,
        licence: str | None = None,
    ) -> Artifact:
        """Make the staged files an artifact, for good; `Manifest` says what is what.

        Settings and metrics are JSON values without absolute paths. Versions of voxgrad and Python are added to those
        of ``tools``.

        Raises:
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        with explain_os_errors(f"publish {self.kind} {self.name}"):
            manifest = Manifest(
                kind=self.kind,
                name=self.name,
                version=1,  # until `_commit` knows the number
                created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                tools={**tools, "voxgrad": voxgrad.__version__, "python": platform.python_version()},
                fingerprint=fingerprint,
                parents={role: _named(parent) for role, parent in parents.items()},
                settings=dict(settings),
                seed=seed,
                device=device,
                files=_sealed(self.directory),
                metrics=dict(metrics),
                consent=consent,
                licence=licence,
            )
            location = self._commit(manifest, manifest.to_bytes(), wanted=None)
        return Artifact.load(location)

    def publish_copy(
        self, manifest: Manifest, content: bytes, known: Callable[[], Artifact | None]
    ) -> tuple[Artifact, bool]:
        """Make the staged files an artifact that was described elsewhere, by ``content``, unless it is here already.

        It keeps its number, and with it its digest, where no other artifact ever had that number here. ``known`` finds
        the same artifact in the store; it is asked under the store's lock, so that two imports of one archive at the
        same moment leave one copy.

        Returns:
            The artifact, and whether it is new.

        Raises:
            IntegrityError: the staged files are not those that it lists.
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        with explain_os_errors(f"publish {self.kind} {self.name}"):
            # What a newer minor version may tell of a file beside these three is no business of ours.
            staged, listed = (
                {(entry.path, entry.size, entry.sha256) for entry in files}
                for files in (_sealed(self.directory), manifest.files)
            )
            if staged != listed:
                raise IntegrityError(
                    f"The files of {self.kind} {self.name} do not match its manifest", "Get the archive again."
                )
            digest = hashlib.sha256(content).hexdigest()
            free = self._layout.is_free(self.kind, self.name, manifest.version, digest)
            location = self._commit(manifest, content, wanted=manifest.version if free else None, known=known)
        if isinstance(location, Artifact):
            return location, False
        return Artifact.load(location), True

    def _commit(
        self,
        manifest: Manifest,
        content: bytes,
        wanted: int | None,
        known: Callable[[], Artifact | None] = lambda: None,
    ) -> ArtifactLocation:
        """Rename the staged directory to the wanted or the next number; returns what `known` found instead of it."""
        versions = self._layout.versions_directory(self.kind, self.name)
        versions.mkdir(parents=True, exist_ok=True)
        with advisory_lock(self._home / "store.lock"):
            if (same := known()) is not None:
                return same
            version = wanted if wanted is not None else self._layout.next_version(self.kind, self.name)
            while not self._renamed(manifest, content, version, versions / f"v{version}"):
                version = max(version + 1, self._layout.next_version(self.kind, self.name))
        # The directories above may be as new as the artifact itself.
        for directory in (versions, versions.parent, versions.parent.parent, self._home):
            sync_directory(directory)
        _make_read_only(versions / f"v{version}")
        return ArtifactLocation(self.kind, self.name, version, versions / f"v{version}", embedded=False)

    def _renamed(self, manifest: Manifest, content: bytes, version: int, target: Path) -> bool:
        """Write the manifest with its number and rename; False where another process took the number."""
        if version != manifest.version:
            content = manifest.model_copy(update={"version": version}).to_bytes()
        write_file(self.directory / MANIFEST_FILE, content)
        write_file(self.directory / DIGEST_FILE, digest_line(hashlib.sha256(content).hexdigest()))
        sync_directory(self.directory)
        try:
            self.directory.rename(target)
        except OSError:
            # The error's number tells nothing: every system has its own for a target that exists.
            if target.exists():
                return False
            raise
        return True


def _named(parent: Identified) -> Parent:
    return parent if isinstance(parent, Parent) else Parent(ref=parent.ref, digest=parent.digest)


def _sealed(directory: Path) -> tuple[FileEntry, ...]:
    """List the payload, with every file and every directory below safely on the disk."""
    if not directory.is_dir():
        raise EnvironmentFailureError(
            "the staging directory is gone: it was already published, or deleted as abandoned", "Run the command again."
        )
    entries = []
    for folder, folders, files in os.walk(directory, topdown=False, onerror=_raise):
        here = Path(folder)
        for name in files:
            path = here / name
            if not stat.S_ISREG(path.lstat().st_mode):
                raise ValueError(f"{path} is not a plain file")
            digest = sync_file(path)
            relative = path.relative_to(directory).as_posix()
            entries.append(FileEntry(path=relative, size=path.stat().st_size, sha256=digest))
        if any((here / name).is_symlink() for name in folders):
            raise ValueError(f"{here} holds a link to a directory")
        sync_directory(here)
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _raise(error: OSError) -> None:
    """`os.walk` would pass over a directory that it cannot read."""
    raise error


def _make_read_only(directory: Path) -> None:
    """Guard files against accidents; directories stay writable, so that people can delete what is theirs."""
    # It is published already: a file system without permissions is no reason to call it failed.
    with suppress(OSError):
        for path in directory.rglob("*"):
            if path.is_file():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
