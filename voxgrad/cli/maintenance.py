"""`voxgrad verify`, `rm`, `restore` and `gc`: damage is found; artifacts go to the trash, come back, or go for good."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from voxgrad.store.lineage import Finding
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from voxgrad.store.artifact import StoreEntry
    from voxgrad.store.maintenance import Trashed


def verify(
    context: typer.Context,
    ref: Annotated[str | None, typer.Argument(metavar="REF", help="Such as alice@v3 (default: everything).")] = None,
    *,
    full: Annotated[
        bool, typer.Option("--full/--quick", help="Read every byte (default), or check manifests and sizes only.")
    ] = True,
) -> None:
    """Check artifacts for damage. Also lists what depends on damaged ones; repairs nothing."""
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.store import Lineage, Store
    from voxgrad.store.lineage import verify as look

    session: Session = context.obj
    store = Store.open(session.home)
    lineage = Lineage.of(store)
    chosen = lineage.everything if ref is None else (store.locate(ref),)
    with Renderer(session) as renderer:
        findings = look(lineage, chosen, full=full, emit=renderer.emit)
    answer(
        session,
        {
            "home": str(store.home),
            "full": full,
            "verified": len(chosen),
            "damaged": [_described(found) for found in findings],
        },
        _page(findings, len(chosen)),
    )
    if findings:
        raise typer.Exit(ExitCode.INTEGRITY)


def _page(findings: "Sequence[Finding]", verified: int) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    shown = 5  # a dataset has thousands of files; --json lists them all
    lines: list[Text] = []
    for found in findings:
        lines.append(Text(f"{found.artifact}", style="bold red"))
        lines += [Text(f"  {problem.message}") for problem in found.problems[:shown]]
        if len(found.problems) > shown:
            lines.append(Text(f"  and {len(found.problems) - shown} more files"))
        if found.dependents:
            lines.append(Text(f"  made from it: {', '.join(str(dependent) for dependent in found.dependents)}"))
    if not findings:
        return Text("1 artifact, intact" if verified == 1 else f"{verified} artifacts, all intact")
    mend = "`voxgrad import` replaces it with an intact copy, `voxgrad rm` removes it"
    return Group(*lines, Text(f"damaged: {len(findings)} of {verified}; {mend}"))


def _described(found: "Finding") -> dict[str, Any]:
    return {
        "kind": found.artifact.kind,
        "ref": found.artifact.ref,
        "problems": [problem.message for problem in found.problems],
        "dependents": [str(dependent) for dependent in found.dependents],
    }


def rm(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="Such as alice@v3 or voice/alice@v3.")],
    *,
    cascade: Annotated[bool, typer.Option("--cascade", help="Also remove everything that was made from it.")] = False,
) -> None:
    """Move an artifact to the trash. Its number is never used again."""
    from voxgrad.cli.terminal import answer
    from voxgrad.store import Store
    from voxgrad.store.maintenance import remove

    session: Session = context.obj
    store = Store.open(session.home)
    removed = remove(store, store.locate(ref), cascade=cascade)
    answer(session, {"removed": _places(removed)}, "\n".join(f"removed {entry}" for entry in removed))


def restore(
    context: typer.Context,
    ref: Annotated[
        str | None, typer.Argument(metavar="REF", help="Such as alice@v3 (default: list the trash).")
    ] = None,
) -> None:
    """Bring an artifact back from the trash. What it was made from comes back too."""
    from voxgrad.cli.terminal import answer
    from voxgrad.store import Store
    from voxgrad.store.maintenance import in_trash
    from voxgrad.store.maintenance import restore as bring_back

    session: Session = context.obj
    store = Store.open(session.home)
    if ref is None:
        trash = in_trash(store)
        answer(session, {"trash": _trash(trash)}, table(trash) if trash else "Nothing in the trash")
        return
    restored = bring_back(store, ref)
    answer(session, {"restored": _places(restored)}, "\n".join(f"restored {entry}" for entry in restored))


def gc(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    days: Annotated[
        int, typer.Option(min=0, metavar="N", help="Keep artifacts that were removed in the last N days.")
    ] = 14,
) -> None:
    """Delete old trash, temporary files and leftovers of prepare. Never touches artifacts or runs."""
    from voxgrad.cli.terminal import answer, size
    from voxgrad.store import Store
    from voxgrad.store.maintenance import collect

    session: Session = context.obj
    store = Store.open(session.home)
    done = collect(store, dry_run=dry_run, trash_age=timedelta(days=days))
    lines = [f"{trashed.location}, removed {trashed.removed:%Y-%m-%d}" for trashed in done.trash]
    lines += [f"{len(done.staging)} abandoned staging folders"] * bool(done.staging)
    if done.prepared:
        lines.append(f"{len(done.prepared)} prepared recordings without a dataset, {size(done.prepared_size)}")
    verb = "would free" if dry_run else "freed"
    answer(
        session,
        {
            "dry_run": dry_run,
            "staging": len(done.staging),
            "prepared": {"files": len(done.prepared), "size": done.prepared_size},
            "trash": _trash(done.trash),
            "size": done.size,
        },
        "\n".join([*lines, f"{verb} {size(done.size)}"]),
    )


def table(trash: "Sequence[Trashed]") -> "Table":
    """What is in the trash, as lines of a table that can be read at 80 columns."""
    from rich.table import Table

    lines = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("kind", "ref", "removed"):
        lines.add_column(heading, overflow="fold", no_wrap=heading != "ref")
    for trashed in trash:
        lines.add_row(trashed.location.kind, trashed.location.ref, f"{trashed.removed:%Y-%m-%d %H:%M}")
    return lines


def _trash(trash: "Sequence[Trashed]") -> list[dict[str, Any]]:
    return [
        {"kind": trashed.location.kind, "ref": trashed.location.ref, "removed": f"{trashed.removed:%Y-%m-%dT%H:%M:%SZ}"}
        for trashed in trash
    ]


def _places(found: "Sequence[StoreEntry]") -> list[dict[str, str]]:
    return [{"kind": entry.kind, "ref": entry.ref} for entry in found]
