"""`voxgrad show`: one artifact, and everything that it came from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from voxgrad.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.tree import Tree

    from voxgrad.store import Artifact, Parent, Store


_FILES_SHOWN = 20
"""A dataset has thousands; --json lists them all."""


def show(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="Such as alice, alice@v3 or voice/alice@v3.")],
) -> None:
    """Show an artifact and what it was made from."""
    from voxgrad.cli.render import answer
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    artifact = store.find(ref)
    ancestors = lineage(store, artifact)
    answer(
        session,
        {
            "manifest": artifact.manifest.model_dump(),
            "digest": artifact.digest,
            "embedded": artifact.embedded,
            "directory": str(artifact.directory),
            "size": artifact.size,
            "lineage": [_described(ancestor) for ancestor in ancestors],
        },
        _page(artifact, ancestors),
    )


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A parent, and what it came from in turn."""

    role: str
    parent: "Parent"
    state: Literal["here", "damaged", "missing"]
    ancestors: "tuple[Ancestor, ...]"


def lineage(store: "Store", artifact: "Artifact") -> tuple[Ancestor, ...]:
    """What an artifact was made from, as far back as the store knows."""
    from voxgrad.store import Artifact, Damaged

    everything = store.scan()
    known = {one.digest: one for one in everything if isinstance(one, Artifact)}
    damaged = {one.ref for one in everything if isinstance(one, Damaged)}

    def parents(child: Artifact) -> tuple[Ancestor, ...]:
        return tuple(ancestor(role, parent) for role, parent in child.manifest.parents.items())

    def ancestor(role: str, parent: "Parent") -> Ancestor:
        # No circle is possible: a manifest would have to contain its own digest.
        if parent.digest in known:
            return Ancestor(role, parent, "here", parents(known[parent.digest]))
        return Ancestor(role, parent, "damaged" if parent.ref in damaged else "missing", ())

    return parents(artifact)


def _described(ancestor: Ancestor) -> dict[str, Any]:
    return {
        "role": ancestor.role,
        "ref": ancestor.parent.ref,
        "digest": ancestor.parent.digest,
        "state": ancestor.state,
        "lineage": [_described(one) for one in ancestor.ancestors],
    }


def _page(artifact: "Artifact", ancestors: tuple[Ancestor, ...]) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text
    from rich.tree import Tree

    from voxgrad.cli.render import section, size

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
    tree = Tree(Text("made from" if ancestors else "made from no other artifact", style="bold"))
    _grow(tree, ancestors)
    return Group(
        section(str(artifact), {name: str(value) for name, value in about.items() if value is not None}),
        section("metrics", flattened(manifest.metrics)),
        section("settings", flattened(manifest.settings)),
        section(f"files ({size(artifact.size)})", files),
        tree,
    )


def _grow(tree: "Tree", ancestors: tuple[Ancestor, ...]) -> None:
    from rich.text import Text

    for one in ancestors:
        mark, style = ("", "") if one.state == "here" else (f" ({one.state})", "red")
        branch = tree.add(Text(f"{one.role}: {one.parent.ref}{mark}", style=style))
        _grow(branch, one.ancestors)


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
