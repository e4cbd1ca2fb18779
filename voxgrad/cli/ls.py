"""`voxgrad ls`: what there is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.session import Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from voxgrad.store import Artifact, Damaged, Lineage


def ls(
    context: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="base, vocoder, dataset, voice or speech.")
    ] = None,
    *,
    tree: Annotated[bool, typer.Option("--tree", help="Show what was made from what.")] = False,
) -> None:
    """List artifacts, or those of one kind."""
    from voxgrad.cli.render import answer
    from voxgrad.store import Lineage, Store

    session: Session = context.obj
    store = Store.open(session.home, newer_too=True)
    if tree and kind is not None:
        raise BadInputError("a tree has artifacts of all kinds", f"Leave out {kind}, or --tree.")
    found = store.scan(kind)
    shown = forest(Lineage.of(store)) if tree else table(found)
    answer(
        session,
        {"home": str(store.home), "artifacts": [_described(one) for one in found]},
        shown if found else f"Nothing yet in {store.home}",
    )


def table(found: "Sequence[Artifact | Damaged]") -> "Table":
    """Artifacts as lines of a table that can be read at 80 columns."""
    from rich.table import Table

    from voxgrad.cli.render import size
    from voxgrad.store import Damaged

    lines = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("kind", "ref", "created", "size", "from"):
        lines.add_column(
            heading,
            no_wrap=heading in {"kind", "created", "size"},
            overflow="fold",
            justify="right" if heading == "size" else "left",
        )
    for one in found:
        if isinstance(one, Damaged):
            lines.add_row(one.kind, one.ref, one.state, "", one.error.message, style="red")
            continue
        origin = [parent.ref for parent in one.manifest.parents.values()]
        if one.embedded:
            origin.append("(comes with voxgrad)")
        created = one.manifest.created[:16].replace("T", " ")
        lines.add_row(one.kind, one.ref, created, size(one.size), ", ".join(origin))
    return lines


def forest(lineage: "Lineage") -> "Group":
    """Every artifact below each thing that it was made from, and what was made from it below the first of them."""
    from rich.console import Group
    from rich.tree import Tree

    shown: set[Path] = set()

    def grow(tree: "Tree", one: "Artifact | Damaged") -> None:
        for child in lineage.children(one):
            again = child.directory in shown
            branch = tree.add(_label(lineage, child, " (see above)" if again else ""))
            if not again:
                shown.add(child.directory)
                grow(branch, child)

    trees = []
    for one in lineage.everything:
        if not lineage.ancestors(one):
            trees.append(Tree(_label(lineage, one, "")))
            grow(trees[-1], one)
    return Group(*trees)


def _label(lineage: "Lineage", one: "Artifact | Damaged", note: str) -> "Text":
    from rich.text import Text

    from voxgrad.cli.render import size
    from voxgrad.store import Damaged

    if isinstance(one, Damaged):
        return Text(f"{one}, {one.state}", style="red")
    parents = one.manifest.parents.items()
    gone = [f"{role} {parent.ref}" for role, parent in parents if lineage.origin(parent) is None]
    missing = f" (missing: {', '.join(gone)})" if gone else ""
    return Text(f"{one}, {size(one.size)}{missing}{note}")


def _described(one: "Artifact | Damaged") -> dict[str, Any]:
    from voxgrad.store import Damaged

    place = {
        "kind": one.kind,
        "name": one.name,
        "version": one.version,
        "ref": one.ref,
        "embedded": one.embedded,
    }
    if isinstance(one, Damaged):
        return {**place, "damaged": str(one.error)}
    return {
        **place,
        "damaged": None,
        "created": one.manifest.created,
        "size": one.size,
        "digest": one.digest,
        "parents": {role: parent.ref for role, parent in one.manifest.parents.items()},
    }
