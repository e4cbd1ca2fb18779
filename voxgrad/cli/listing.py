"""`voxgrad ls` and `voxgrad show`: what the store has, and what one artifact was made from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from voxgrad.store import Artifact, Lineage, StoreEntry
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.tree import Tree

    from voxgrad.store import Artifact, Lineage, Parent


def ls(
    context: typer.Context,
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="base, vocoder, dataset, voice, speech, evaluation, card or onnx."),
    ] = None,
    *,
    tree: Annotated[
        bool, typer.Option("--tree", help="Show artifacts as a tree, below what they were made from.")
    ] = False,
) -> None:
    """List artifacts, or those of one kind."""
    from voxgrad.cli.terminal import answer
    from voxgrad.store import Lineage, Store

    session: Session = context.obj
    store = Store.open(session.home, newer_too=True)
    if tree and kind is not None:
        raise BadInputError("--tree shows artifacts of all kinds", f"Leave out {kind}, or --tree.")
    found = store.scan(kind)
    shown = forest(Lineage.of(store)) if tree else table(found)
    answer(
        session,
        {"home": str(store.home), "artifacts": [_listed(entry) for entry in found]},
        shown if found else f"Nothing yet in {store.home}",
    )


def table(found: "Sequence[StoreEntry]") -> "Table":
    """Artifacts as lines of a table that can be read at 80 columns."""
    from rich.table import Table

    from voxgrad.cli.terminal import size
    from voxgrad.store import DamagedArtifact

    lines = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("kind", "ref", "created", "size", "from"):
        lines.add_column(
            heading,
            no_wrap=heading in {"kind", "created", "size"},
            overflow="fold",
            justify="right" if heading == "size" else "left",
        )
    for entry in found:
        if isinstance(entry, DamagedArtifact):
            lines.add_row(entry.kind, entry.ref, entry.state, "", entry.error.message, style="red")
            continue
        origin = [parent.ref for parent in entry.manifest.parents.values()]
        if entry.embedded:
            origin.append("(comes with voxgrad)")
        created = entry.manifest.created[:16].replace("T", " ")
        lines.add_row(entry.kind, entry.ref, created, size(entry.size), ", ".join(origin))
    return lines


def forest(lineage: "Lineage") -> "Group":
    """Every artifact below each thing that it was made from, and what was made from it below the first of them."""
    from rich.console import Group
    from rich.tree import Tree

    shown: set[Path] = set()

    def grow(tree: "Tree", entry: "StoreEntry") -> None:
        for child in lineage.children(entry):
            again = child.directory in shown
            branch = tree.add(_label(lineage, child, " (see above)" if again else ""))
            if not again:
                shown.add(child.directory)
                grow(branch, child)

    trees = []
    for entry in lineage.everything:
        if not lineage.ancestors(entry):
            trees.append(Tree(_label(lineage, entry, "")))
            grow(trees[-1], entry)
    return Group(*trees)


def _label(lineage: "Lineage", entry: "StoreEntry", note: str) -> "Text":
    from rich.text import Text

    from voxgrad.cli.terminal import size
    from voxgrad.store import DamagedArtifact

    if isinstance(entry, DamagedArtifact):
        return Text(f"{entry}, {entry.state}", style="red")
    parents = entry.manifest.parents.items()
    gone = [f"{role} {parent.ref}" for role, parent in parents if lineage.origin(parent) is None]
    missing = f" (missing: {', '.join(gone)})" if gone else ""
    return Text(f"{entry}, {size(entry.size)}{missing}{note}")


def _listed(entry: "StoreEntry") -> dict[str, Any]:
    from voxgrad.store import DamagedArtifact

    place = {
        "kind": entry.kind,
        "name": entry.name,
        "version": entry.version,
        "ref": entry.ref,
        "embedded": entry.embedded,
    }
    if isinstance(entry, DamagedArtifact):
        return {**place, "damaged": str(entry.error)}
    return {
        **place,
        "damaged": None,
        "created": entry.manifest.created,
        "size": entry.size,
        "digest": entry.digest,
        "parents": {role: parent.ref for role, parent in entry.manifest.parents.items()},
    }


_FILES_SHOWN = 20
"""A dataset has thousands; --json lists them all."""


def show(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="Such as alice, alice@v3 or voice/alice@v3.")],
) -> None:
    """Show an artifact, its files, and what it was made from."""
    from voxgrad.cli.terminal import answer
    from voxgrad.store import Lineage, Store

    session: Session = context.obj
    store = Store.open(session.home)
    artifact = store.find(ref)
    family = Lineage.of(store)
    ancestors = lineage(family, artifact)
    made = family.children(artifact)
    answer(
        session,
        {
            "manifest": artifact.manifest.model_dump(),
            "digest": artifact.digest,
            "embedded": artifact.embedded,
            "directory": str(artifact.directory),
            "size": artifact.size,
            "size_with_lineage": _size_with_lineage(family, artifact),
            "lineage": [_described(ancestor) for ancestor in ancestors],
            "made_from_it": [{"kind": entry.kind, "ref": entry.ref, "digest": entry.digest} for entry in made],
        },
        _page(artifact, ancestors, made, _size_with_lineage(family, artifact)),
    )


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A parent, and what it came from in turn."""

    role: str
    parent: "Parent"
    state: str
    """``here``, ``damaged``, ``newer`` or ``missing``."""
    size: int | None
    """Bytes of payload; None where its manifest cannot be read."""
    ancestors: "tuple[Ancestor, ...]"


def lineage(family: "Lineage", artifact: "Artifact") -> tuple[Ancestor, ...]:
    """What an artifact was made from, as far back as the store knows."""
    from voxgrad.store import Artifact

    def ancestor(role: str, parent: "Parent") -> Ancestor:
        # No circle is possible: a manifest would have to contain its own digest.
        origin = family.origin(parent)
        if isinstance(origin, Artifact):
            return Ancestor(role, parent, "here", origin.size, lineage(family, origin))
        return Ancestor(role, parent, "missing" if origin is None else origin.state, None, ())

    return tuple(ancestor(role, parent) for role, parent in artifact.manifest.parents.items())


def _size_with_lineage(family: "Lineage", artifact: "Artifact") -> int:
    from voxgrad.store import Artifact

    known = [ancestor for ancestor in family.ancestors(artifact) if isinstance(ancestor, Artifact)]
    return artifact.size + sum(ancestor.size for ancestor in known)


def _described(ancestor: Ancestor) -> dict[str, Any]:
    return {
        "role": ancestor.role,
        "ref": ancestor.parent.ref,
        "digest": ancestor.parent.digest,
        "state": ancestor.state,
        "size": ancestor.size,
        "lineage": [_described(parent) for parent in ancestor.ancestors],
    }


def _page(
    artifact: "Artifact", ancestors: tuple[Ancestor, ...], made: "tuple[Artifact, ...]", whole: int
) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text
    from rich.tree import Tree

    from voxgrad.cli.terminal import section, size

    manifest = artifact.manifest
    about = {
        "created": manifest.created,
        "directory": str(artifact.directory),
        "digest": artifact.digest,
        "tools": ", ".join(f"{tool} {version}" for tool, version in manifest.tools.items()),
        "seed": manifest.seed,
        "device": manifest.device,
        "consent": manifest.consent,
        "licence": manifest.licence,
    }
    files = {entry.path: size(entry.size) for entry in manifest.files[:_FILES_SHOWN]}
    if len(manifest.files) > _FILES_SHOWN:
        files["…"] = f"and {len(manifest.files) - _FILES_SHOWN} more"
    origin = f"made from ({size(whole - artifact.size)})" if ancestors else "made from no other artifact"
    tree = Tree(Text(origin, style="bold"))
    _grow(tree, ancestors)
    return Group(
        section(str(artifact), {name: str(value) for name, value in about.items() if value is not None}),
        section("metrics", flattened(manifest.metrics)),
        section("settings", flattened(manifest.settings)),
        section(f"files ({size(artifact.size)})", files),
        section("made from it", dict(_by_kind(made))),
        tree,
    )


def _by_kind(made: "tuple[Artifact, ...]") -> "Iterator[tuple[str, str]]":
    for kind in sorted({entry.kind for entry in made}):
        refs = [entry.ref for entry in made if entry.kind == kind]
        more = f" and {len(refs) - _FILES_SHOWN} more" if len(refs) > _FILES_SHOWN else ""
        yield kind, ", ".join(refs[:_FILES_SHOWN]) + more


def _grow(tree: "Tree", ancestors: tuple[Ancestor, ...]) -> None:
    from rich.text import Text

    from voxgrad.cli.terminal import size

    for ancestor in ancestors:
        mark, style = (f" ({ancestor.state})", "red") if ancestor.size is None else (f", {size(ancestor.size)}", "")
        branch = tree.add(Text(f"{ancestor.role}: {ancestor.parent.ref}{mark}", style=style))
        _grow(branch, ancestor.ancestors)


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values as dotted names.

    >>> flattened({"mel": {"n_fft": 1024}, "trim": True})
    {'mel.n_fft': '1024', 'trim': 'True'}
    """
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = f"{value:.6g}" if isinstance(value, float) else str(value)
    return flat
