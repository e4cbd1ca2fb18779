"""`voxgrad ls`: what there is."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from voxgrad.store import Artifact, Damaged


def ls(
    context: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="base, vocoder, dataset, voice or speech.")
    ] = None,
) -> None:
    """List artifacts, or those of one kind."""
    from voxgrad.cli.render import answer
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    found = store.scan(kind)
    answer(
        session,
        {"home": str(store.home), "artifacts": [_described(one) for one in found]},
        table(found) if found else f"Nothing yet in {store.home}",
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
            lines.add_row(one.kind, one.ref, "damaged", "", one.error.message, style="red")
            continue
        origin = [parent.ref for parent in one.manifest.parents.values()]
        if one.embedded:
            origin.append("(comes with voxgrad)")
        created = one.manifest.created[:16].replace("T", " ")
        lines.add_row(one.kind, one.ref, created, size(one.size), ", ".join(origin))
    return lines


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
