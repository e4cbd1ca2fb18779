"""The store: finds artifacts in their directories, stages new ones, and knows what was made from what.

It reads only the manifests, so there is no index that could be out of date.
"""

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from platformdirs import user_data_path

from voxgrad.errors import BadInputError, IntegrityError, is_disk_full, os_error
from voxgrad.events import Emit, Said, ignore
from voxgrad.files import advisory_lock, explain_os_errors, explained, sync_directory, write_file
from voxgrad.store.artifact import (
    KINDS,
    Artifact,
    DamagedArtifact,
    Layout,
    Reference,
    StoreEntry,
    check_kind,
    check_name,
    load_entry,
)
from voxgrad.store.manifest import MANIFEST_FILE, SCHEMA_VERSION, NewerSchemaError, Parent, canonical_json, check_schema
from voxgrad.store.publish import StagedArtifact

EMBEDDED = Path(__file__).parent.parent / "pretrained"
"""The artifacts that come with the package."""

_PREFERRED: Final = ("voice", "base", "vocoder", "dataset")
_MADE_BY = {
    "base": "`voxgrad pretrain`, or `voxgrad import`",
    "vocoder": "`voxgrad vocoder train`, or `voxgrad import`",
    "dataset": "`voxgrad prepare`",
    "voice": "`voxgrad finetune`",
    "language": "`voxgrad pretrain --base BASE`",
    "speech": "`voxgrad say`",
    "evaluation": "`voxgrad evaluate`",
    "card": "`voxgrad card VOICE`",
    "onnx": "`voxgrad export VOICE --format onnx`",
}


@dataclass(frozen=True, slots=True)
class Store:
    """Artifacts under ``home``, and those that came with the package under ``embedded``."""

    home: Path
    embedded: Path | None = None
    """Laid out ``<kind>/<name>/v<N>``; never written."""

    @classmethod
    def open(cls, home: Path | None = None, *, newer_too: bool = False) -> Self:
        """The store at ``home``, else at ``$VOXGRAD_HOME``, else in the user's data folder. Writes nothing.

        With ``newer_too``, also one that a newer major version wrote; only to look at what it holds.

        Raises:
            BadInputError: a file lies in its place.
            IntegrityError: its mark is damaged, or that of a newer major version.
            EnvironmentFailureError: it may not be read.
        """
        if home is None:
            named = os.environ.get("VOXGRAD_HOME")
            home = Path(named) if named else user_data_path("voxgrad", appauthor=False)
        home = home.expanduser().absolute()
        if home.exists() and not home.is_dir():
            raise BadInputError(f"{home} is not a directory", "Choose a directory with --home or VOXGRAD_HOME.")
        try:
            _check_layout(home / "store.json")
        except NewerSchemaError:
            if not newer_too:
                raise
        return cls(home, EMBEDDED)

    @contextmanager
    def stage(self, kind: str, name: str) -> Iterator[StagedArtifact]:
        """Begin an artifact; unless it is published, everything staged is removed at the end.

        Raises:
            BadInputError: no artifact can have that kind or name.
            EnvironmentFailureError: the disk is full or cannot be written.
        """
        check_kind(kind)
        check_name(name)
        staging = self.home / "tmp" / uuid4().hex
        payload = staging / "payload"
        try:
            with ExitStack() as held:
                with explain_os_errors(f"write to {self.home}"):
                    payload.mkdir(parents=True)
                    self._mark_layout(staging)
                    # While its lock is held, garbage collection does not take this directory for an abandoned one.
                    held.enter_context(advisory_lock(staging / "lock"))
                yield StagedArtifact(kind, name, payload, self.home, self.layout)
        except Exception as error:
            # The body also reads what users gave; only a full disk is surely ours to explain.
            refused = os_error(error)
            if refused is None or not is_disk_full(refused):
                raise
            raise explained(refused, f"write {kind} {name}") from refused
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def run_directory(self, run_id: str) -> Path:
        """Where a training run keeps its state; it is not created.

        Raises:
            BadInputError: no run can have that id.
        """
        return self.home / "runs" / check_name(run_id, "run id")

    @property
    def prepared(self) -> Path:
        """Where `prepare` keeps the recordings that it has done until their dataset is published."""
        return self.home / "prepared"

    def scan(self, kind: str | None = None) -> tuple[StoreEntry, ...]:
        """All artifacts, damaged ones too, by kind, name and version."""
        locations = [
            location
            for each in _kinds(kind)
            for name in self.layout.names(each)
            for location in self.layout.locations(each, name)
        ]
        locations.sort(key=lambda location: (location.kind, location.name, location.version))
        return tuple(load_entry(location) for location in locations)

    def list(self, kind: str | None = None) -> tuple[Artifact, ...]:
        """All readable artifacts, by kind, name and version; see `scan` for the rest."""
        return tuple(entry for entry in self.scan(kind) if isinstance(entry, Artifact))

    def matching(self, kind: str, fingerprint: str, emit: Emit = ignore) -> Artifact | None:
        """The newest artifact with a fingerprint and all its files; reports it if there is one."""
        same = (artifact for artifact in self.list(kind) if artifact.manifest.fingerprint == fingerprint)
        known = max((artifact for artifact in same if artifact.has_all_files()), key=_age, default=None)
        if known is not None:
            emit(Said(f"{known.ref} is up to date"))
        return known

    def find(self, ref: str | None, kind: str | None = None) -> Artifact:
        """Resolve a reference: ``alice``, ``alice@v3``, ``alice@latest``, ``voice/alice``, ``@sha256:1f2e``.

        None means the newest of a kind, the user's own before those that came with the package.

        Raises:
            BadInputError: nothing or several things answer to it; the hint names the nearest.
            IntegrityError: what answers to it is damaged.
        """
        entry = self.locate(ref, kind)
        if isinstance(entry, DamagedArtifact):
            raise entry.error
        return entry

    def find_of(self, ref: str | None, kinds: Sequence[str] = ()) -> Artifact:
        """As `find`; where several kinds have a name, the first of ``kinds`` is meant, and None is the newest of it.

        Without ``kinds``, a voice is meant before a base, a vocoder or a dataset.

        A voice has the name of its dataset by default, and so is its speech.

        Raises:
            BadInputError: there is no such artifact.
            IntegrityError: it is damaged.
        """
        if ref is not None:
            named = Reference.parse(ref)
            if named.kind is not None or named.digest is not None:
                return self.find(ref, named.kind)
            if there := [each for each in KINDS if self.layout.locations(each, str(named.name))]:
                return self.find(ref, next((each for each in kinds or _PREFERRED if each in there), there[0]))
        if not kinds:
            return self.find(ref)
        kind = next((each for each in kinds if self.list(each)), kinds[0])
        return self.find(ref, kind)

    def origin(self, parent: Parent, role: str) -> Artifact:
        """The artifact that a manifest names as a parent.

        Raises:
            BadInputError: it is no longer here.
        """
        try:
            return self._with_digest(parent.digest, None)
        except BadInputError as error:
            message = f"The {role} {parent.ref} is not in this store, or is damaged"
            raise BadInputError(message, "Import it, or use --home with the store that contains it.") from error

    def locate(self, ref: str | None, kind: str | None = None) -> StoreEntry:
        """As `find`, but what is damaged is returned too.

        Raises:
            BadInputError: nothing or several things answer to it; the hint names the nearest.
        """
        if ref is None:
            newest = max(self.list(kind), key=_age, default=None)
            if newest is None:
                raise BadInputError(f"There is no {_called(kind)} yet", _how_to_make(kind))
            return newest
        reference = Reference.parse(ref)
        if reference.digest is not None:
            return self._with_digest(reference.digest, kind)
        if kind is not None and reference.kind not in {None, kind}:
            raise BadInputError(f"{ref} is not a {kind}", f"Choose one from `{_listing(kind)}`.")
        return self._named(str(reference.name), reference.version, reference.kind if kind is None else kind)

    def _named(self, name: str, version: int | None, kind: str | None) -> StoreEntry:
        by_kind = {each: known for each in _kinds(kind) if (known := self.layout.locations(each, name))}
        if not by_kind:
            raise self._unknown(name, kind)
        if len(by_kind) > 1:
            choices = " or ".join(f"{each}/{name}" for each in by_kind)
            raise BadInputError(f"Several artifacts are called {name!r}", f"Write {choices}.")
        ((its_kind, locations),) = by_kind.items()
        chosen = [location for location in locations if version in {None, location.version}]
        if not chosen:
            there = ", ".join(f"v{location.version}" for location in locations)
            raise BadInputError(f"There is no v{version} of {its_kind} {name}", f"Choose one of {there}.")
        return load_entry(chosen[-1])

    def _with_digest(self, prefix: str, kind: str | None) -> Artifact:
        by_digest = {known.digest: known for known in self.list(kind) if known.digest.startswith(prefix)}
        if not by_digest:
            raise BadInputError(
                f"No {_called(kind)} has a digest that begins with {prefix}",
                f"List digests with `{_listing(kind)} --json`.",
            )
        if len(by_digest) > 1:
            raise BadInputError(f"Several digests begin with {prefix}", "Give more digits.")
        return next(iter(by_digest.values()))

    def _unknown(self, name: str, kind: str | None) -> BadInputError:
        known = sorted({known for each in _kinds(kind) for known in self.layout.names(each)})
        if not known:
            return BadInputError(f"There is no {_called(kind)} {name!r}, nor any other", _how_to_make(kind))
        near = get_close_matches(name.lower(), known, cutoff=0.5)
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        return BadInputError(f"There is no {_called(kind)} {name!r}", f"{meant}List all with `{_listing(kind)}`.")

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return Layout(self.home / "artifacts", self.embedded)

    def _mark_layout(self, staging: Path) -> None:
        """Write ``store.json`` with the first artifact."""
        if not (self.home / "store.json").exists():
            write_file(staging / "store.json", canonical_json({"schema_version": SCHEMA_VERSION}))
            (staging / "store.json").replace(self.home / "store.json")
            sync_directory(self.home.parent)


def _check_layout(path: Path) -> None:
    try:
        check_schema(json.loads(path.read_bytes())["schema_version"], f"The store at {path.parent}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise explained(error, "read the store") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise IntegrityError(f"{path} is damaged", "Delete it; it will be written again.") from error


def _age(artifact: Artifact) -> tuple[bool, str, int]:
    """Sorts the newest last, and the user's own after those that came with the package."""
    # Several may be made within one second: then the file system knows which came later.
    written = (artifact.directory / MANIFEST_FILE).stat().st_mtime_ns
    return not artifact.embedded, artifact.manifest.created, written


def _kinds(kind: str | None) -> tuple[str, ...]:
    return KINDS if kind is None else (check_kind(kind),)


def _called(kind: str | None) -> str:
    return "artifact" if kind is None else kind


def _listing(kind: str | None) -> str:
    return "voxgrad ls" if kind is None else f"voxgrad ls {kind}"


def _how_to_make(kind: str | None) -> str:
    return f"Make one with {_MADE_BY['dataset' if kind is None else kind]}."


class Lineage:
    """All artifacts of a store, by kind, name and version, with their parents and children."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.everything = store.scan()
        damaged_first = sorted(self.everything, key=lambda entry: isinstance(entry, Artifact))
        self._by_digest = {digest: entry for entry in damaged_first for digest in entry.digests}
        # A manifest that cannot be read may not tell its digest.
        self._damaged = {entry.ref: entry for entry in self.everything if isinstance(entry, DamagedArtifact)}
        self._children = defaultdict[Path, list[Artifact]](list)
        for entry in self.everything:
            if isinstance(entry, Artifact):
                for directory in {origin.directory for origin in self._origins(entry)}:
                    self._children[directory].append(entry)

    def origin(self, parent: Parent) -> StoreEntry | None:
        """What a manifest names as a parent; None where it is no longer here."""
        return self._by_digest.get(parent.digest, self._damaged.get(parent.ref))

    def children(self, entry: StoreEntry) -> tuple[Artifact, ...]:
        """What was made from it directly."""
        return tuple(self._children.get(entry.directory, ()))

    def descendants(self, entry: StoreEntry) -> tuple[Artifact, ...]:
        """Everything that was made from it, each once, before what was made from that in turn."""
        return tuple(reversed(_depth_first(entry, self.children)))

    def ancestors(self, entry: StoreEntry) -> tuple[StoreEntry, ...]:
        """Everything here that it was made from, each once, after what that was made from in turn."""
        return _depth_first(entry, self._origins)

    def _origins(self, entry: StoreEntry) -> tuple[StoreEntry, ...]:
        parents = entry.manifest.parents.values() if isinstance(entry, Artifact) else ()
        return tuple(origin for parent in parents if (origin := self.origin(parent)) is not None)


def _depth_first(start: StoreEntry, next_to: Callable[[StoreEntry], tuple[Any, ...]]) -> tuple[Any, ...]:
    """All that can be reached from ``start``, each once, the farthest first."""
    # No circle is possible: a manifest would have to contain its own digest. A damaged one has no parents. But an
    # archive from elsewhere may hold a lineage that is longer than Python's stack.
    found: dict[Path, StoreEntry] = {}
    path = [(start, iter(next_to(start)))]
    while path:
        here, others = path[-1]
        other = next((other for other in others if other.directory not in found), None)
        if other is not None:
            path.append((other, iter(next_to(other))))
        else:
            found[here.directory] = here
            path.pop()
    del found[start.directory]
    return tuple(found.values())
