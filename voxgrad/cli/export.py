"""`voxgrad export`: an artifact in one file, to keep or to give away."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.session import Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.store import Artifact


def export(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="Such as alice@v3 or voice/alice@v3.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Default: NAME-vN.voxgrad.")
    ] = None,
    with_parents: Annotated[
        bool, typer.Option("--with-parents", help="Also everything that it was made from.")
    ] = False,
) -> None:
    """Write an artifact into one file, with its consent and licence."""
    from voxgrad.cli.render import Renderer, answer, section, size
    from voxgrad.store import Artifact, Lineage, Store
    from voxgrad.store.archive_export import SUFFIX
    from voxgrad.store.archive_export import export as write

    session: Session = context.obj
    store = Store.open(session.home)
    artifact = store.find(ref)
    ancestors = Lineage.of(store).ancestors(artifact) if with_parents else ()
    for one in ancestors:
        if not isinstance(one, Artifact):
            raise one.error
    parents = [one for one in reversed(ancestors) if isinstance(one, Artifact)]
    target = Path(f"{artifact.name}-v{artifact.version}{SUFFIX}") if output is None else output
    if target.is_dir() or not target.parent.is_dir():
        raise BadInputError(f"{target} is no place for a file", "Name a file in a folder that exists.")
    with Renderer(session) as renderer:
        write([artifact, *parents], target, renderer.emit)
    manifest = artifact.manifest
    answer(
        session,
        {
            "file": str(target),
            "artifacts": [str(one) for one in (artifact, *parents)],
            "digest": artifact.digest,
            "size": target.stat().st_size,
            "consent": manifest.consent,
            "licence": manifest.licence,
        },
        section(
            f"{target}, {size(target.stat().st_size)}",
            {
                "holds": ", ".join(str(one) for one in (artifact, *parents)),
                **terms(artifact),
            },
        ),
    )


def terms(artifact: "Artifact") -> dict[str, str]:
    """What an artifact may be used for, as its manifest says."""
    manifest = artifact.manifest
    named = {"consent": manifest.consent, "licence": manifest.licence}
    return {name: "none recorded" if value is None else value for name, value in named.items()}
