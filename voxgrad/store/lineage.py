"""Lineage: what was made from what, and what damage to one artifact means for others.

Only the manifests are asked, so that there is nothing to go out of date.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from voxgrad.errors import VoxgradError
from voxgrad.events import Emit, tracked
from voxgrad.store.artifact import Artifact, DamagedArtifact, StoreEntry
from voxgrad.store.manifest import Parent
from voxgrad.store.store import Store


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything in a store, with who was made from whom."""

    everything: tuple[StoreEntry, ...]
    """By kind, name and version."""
    _by_digest: Mapping[str, StoreEntry]
    _damaged: Mapping[str, StoreEntry]
    """By reference, for a manifest that cannot be read may not tell its digest."""
    _children: Mapping[Path, tuple[Artifact, ...]]

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read all manifests of a store."""
        everything = store.scan()
        by_digest: dict[str, StoreEntry] = {}
        for entry in sorted(everything, key=lambda entry: isinstance(entry, Artifact)):
            by_digest |= dict.fromkeys(entry.digests, entry)
        damaged: dict[str, StoreEntry] = {
            entry.ref: entry for entry in everything if isinstance(entry, DamagedArtifact)
        }
        lineage = cls(everything, by_digest, damaged, {})
        children: defaultdict[Path, list[Artifact]] = defaultdict(list)
        for entry in everything:
            if isinstance(entry, Artifact):
                for directory in {origin.directory for origin in lineage._origins(entry)}:
                    children[directory].append(entry)
        return cls(everything, by_digest, damaged, {place: tuple(made) for place, made in children.items()})

    def origin(self, parent: Parent) -> StoreEntry | None:
        """What a manifest names as a parent; None where it is no longer here."""
        return self._by_digest.get(parent.digest, self._damaged.get(parent.ref))

    def children(self, entry: StoreEntry) -> tuple[Artifact, ...]:
        """What was made from it directly."""
        return self._children.get(entry.directory, ())

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
    # No circle is possible: a manifest would have to contain its own digest. A damaged one has no parents.
    seen: set[Path] = set()
    ordered: list[StoreEntry] = []
    path = [(start, iter(next_to(start)))]
    while path:
        here, others = path[-1]
        other = next((other for other in others if other.directory not in seen), None)
        if other is not None:
            seen.add(other.directory)
            path.append((other, iter(next_to(other))))
        else:
            ordered.append(here)
            path.pop()
    return tuple(ordered[:-1])


def runs_from(store: Store, artifacts: Iterable[StoreEntry]) -> list[str]:
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


@dataclass(frozen=True, slots=True)
class Finding:
    """An artifact that is not what was published."""

    artifact: StoreEntry
    problems: tuple[VoxgradError, ...]
    dependents: tuple[Artifact, ...]
    """Everything that was made from it."""


def verify(lineage: Lineage, chosen: Iterable[StoreEntry], *, full: bool, emit: Emit) -> tuple[Finding, ...]:
    """Look for damage.

    Args:
        lineage: of the whole store.
        chosen: what to look at.
        full: read every byte; otherwise the manifests and their digests are read, and sizes of files compared.
        emit: called with progress events.

    Returns:
        What is damaged; nothing where all is intact.
    """
    findings = []
    for entry in tracked(tuple(chosen), "verify", "artifacts", emit, note=str):
        problems = tuple(entry.problems(full=full))
        if problems:
            findings.append(Finding(entry, problems, lineage.descendants(entry)))
    return tuple(findings)
