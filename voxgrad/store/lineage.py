"""Lineage: what was made from what. Only the manifests are asked, so that there is nothing to go out of date."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from voxgrad.store.artifact import Artifact, Damaged, identities
from voxgrad.store.manifest import Parent
from voxgrad.store.store import Store

Found = Artifact | Damaged


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything in a store, with who was made from whom."""

    everything: tuple[Found, ...]
    """By kind, name and version."""
    _by_digest: Mapping[str, Found]
    _damaged: Mapping[str, Found]
    """By reference, for a manifest that cannot be read may not tell its digest."""
    _children: Mapping[Path, tuple[Artifact, ...]]

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read all manifests of a store."""
        everything = store.scan()
        by_digest: dict[str, Found] = {}
        for one in sorted(everything, key=lambda one: isinstance(one, Artifact)):
            by_digest |= dict.fromkeys(digests_of(one), one)
        damaged: dict[str, Found] = {one.ref: one for one in everything if isinstance(one, Damaged)}
        lineage = cls(everything, by_digest, damaged, {})
        children: defaultdict[Path, list[Artifact]] = defaultdict(list)
        for one in everything:
            if isinstance(one, Artifact):
                origins = (lineage.origin(parent) for parent in one.manifest.parents.values())
                for origin in {origin.directory: origin for origin in origins if origin is not None}.values():
                    children[origin.directory].append(one)
        return cls(everything, by_digest, damaged, {slot: tuple(made) for slot, made in children.items()})

    def origin(self, parent: Parent) -> Found | None:
        """What a manifest names as a parent; None where it is no longer here."""
        return self._by_digest.get(parent.digest, self._damaged.get(parent.ref))

    def children(self, one: Found) -> tuple[Artifact, ...]:
        """What was made from it directly."""
        return self._children.get(one.directory, ())

    def descendants(self, one: Found) -> tuple[Artifact, ...]:
        """Everything that was made from it, each once, before what was made from that in turn."""
        return tuple(reversed(_depth_first(one, self.children)))

    def ancestors(self, one: Found) -> tuple[Found, ...]:
        """Everything here that it was made from, each once, after what that was made from in turn."""
        return _depth_first(one, self._origins)

    def _origins(self, one: Found) -> tuple[Found, ...]:
        parents = one.manifest.parents.values() if isinstance(one, Artifact) else ()
        return tuple(origin for parent in parents if (origin := self.origin(parent)) is not None)


def digests_of(one: Found) -> frozenset[str]:
    """What others may name it by: one digest, or the few that a damaged one may have had."""
    return frozenset({one.digest}) if isinstance(one, Artifact) else identities(one)


def runs_from(store: Store, artifacts: Iterable[Found]) -> list[str]:
    """Training runs in progress that began with one of these, sorted."""
    digests = {digest for one in artifacts for digest in digests_of(one)}
    found = []
    for record in (store.home / "runs").glob("*/run.json"):
        try:
            parents = json.loads(record.read_bytes())["parents"].values()
            needed = {parent["digest"] for parent in parents}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # a run that cannot be read can need nothing
        if needed & digests:
            found.append(record.parent.name)
    return sorted(found)


def _depth_first(one: Found, next_to: Callable[[Found], tuple[Any, ...]]) -> tuple[Any, ...]:
    """All that can be reached from ``one``, each once, the farthest first."""
    # No circle is possible: a manifest would have to contain its own digest. A damaged one has no parents.
    seen: set[Path] = set()
    ordered: list[Found] = []
    path = [(one, iter(next_to(one)))]
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
