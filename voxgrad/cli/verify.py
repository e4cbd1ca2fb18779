"""`voxgrad verify`: whether everything is what was published."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.session import Session
from voxgrad.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from voxgrad.store.maintenance import Finding


def verify(
    context: typer.Context,
    ref: Annotated[
        str | None, typer.Argument(metavar="REF", help="Such as alice@v3; default: everything.")
    ] = None,
    *,
    full: Annotated[
        bool, typer.Option("--full/--quick", help="Read every byte, or compare only manifests and sizes.")
    ] = True,
) -> None:
    """Look for damage, and say what depends on what is damaged. Repairs nothing."""
    from voxgrad.cli.render import Renderer, answer
    from voxgrad.store import Lineage, Store
    from voxgrad.store.maintenance import verify as look

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
            lines.append(Text(f"  made from it: {', '.join(str(one) for one in found.dependents)}"))
    if not findings:
        return Text("1 artifact, whole" if verified == 1 else f"{verified} artifacts, all whole")
    mend = "`voxgrad import` puts a copy in its place, `voxgrad rm` removes it"
    return Group(*lines, Text(f"damaged: {len(findings)} of {verified}; {mend}"))


def _described(found: "Finding") -> dict[str, Any]:
    return {
        "kind": found.artifact.kind,
        "ref": found.artifact.ref,
        "problems": [problem.message for problem in found.problems],
        "dependents": [str(one) for one in found.dependents],
    }
