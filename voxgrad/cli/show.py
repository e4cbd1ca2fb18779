"""`voxgrad show`: one artifact, and everything that it came from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.tree import Tree

    from voxgrad.store import Artifact, Lineage, Parent


_FILES_SHOWN = 20
"""A dataset has thousands; --json lists them all."""


def show(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="Such as alice, alice@v3 or voice/alice@v3.")],
) -> None:
    """Show an artifact and what it was made from."""
    from voxgrad.cli.render import answer
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
            "made_from_it": [{"kind": one.kind, "ref": one.ref, "digest": one.digest} for one in made],
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

    known = [one for one in family.ancestors(artifact) if isinstance(one, Artifact)]
    return artifact.size + sum(one.size for one in known)


def _described(ancestor: Ancestor) -> dict[str, Any]:
    return {
        "role": ancestor.role,
        "ref": ancestor.parent.ref,
        "digest": ancestor.parent.digest,
        "state": ancestor.state,
        "size": ancestor.size,
        "lineage": [_described(one) for one in ancestor.ancestors],
    }


def _page(
    artifact: "Artifact", ancestors: tuple[Ancestor, ...], made: "tuple[Artifact, ...]", whole: int
) -> "RenderableType":
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
    for kind in sorted({one.kind for one in made}):
        refs = [one.ref for one in made if one.kind == kind]
        more = f" and {len(refs) - _FILES_SHOWN} more" if len(refs) > _FILES_SHOWN else ""
        yield kind, ", ".join(refs[:_FILES_SHOWN]) + more


def _grow(tree: "Tree", ancestors: tuple[Ancestor, ...]) -> None:
    from rich.text import Text

    from voxgrad.cli.render import size

    for one in ancestors:
        mark, style = (f" ({one.state})", "red") if one.size is None else (f", {size(one.size)}", "")
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
