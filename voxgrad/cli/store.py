"""Commands of the store: `ls`, `show`, `verify`, `rm`, `restore` and `gc`."""

from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.shared_options import Session, command
from voxgrad.cli.terminal import section, size, table, use_of
from voxgrad.errors import BadInputError, ExitCode
from voxgrad.events import few

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

    from voxgrad.store import Artifact, Lineage, Parent, Store, StoreEntry
    from voxgrad.store.artifact import ArtifactLocation
    from voxgrad.store.maintenance import Finding, Trashed
    from voxgrad.voice.speakers import Speaker

Reference = Annotated[str, typer.Argument(metavar="REF", help="Such as alice@v3 or voice/alice@v3.")]
_SPEAKERS = "speakers"
_FILES_SHOWN = 20
"""A dataset has thousands; --json lists them all."""


@command()
def ls(
    session: Session,
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help="base, vocoder, dataset, voice, speech, evaluation, card, onnx, language, or speakers: all names for "
            "--voice.",
        ),
    ] = None,
    *,
    tree: Annotated[bool, typer.Option("--tree", help="Show each artifact below what it was made from.")] = False,
) -> None:
    """List artifacts, or those of one kind."""
    from voxgrad.store import Artifact, Lineage, Store
    from voxgrad.text.languages import greeting_in
    from voxgrad.text.symbols import ENGLISH

    store = Store.open(session.home, newer_too=True)
    if kind == _SPEAKERS:
        listed = speakers(store)
        last = listed[-1]
        then = f'say "{greeting_in(last.language or ENGLISH)}" --voice {last.name} -o hello.wav'
        session.answer({"speakers": [asdict(speaker) for speaker in listed]}, speakers_table(listed), then)
        return
    if tree and kind is not None:
        raise BadInputError("--tree shows artifacts of all kinds", f"Leave out {kind}, or --tree.")
    entries = store.scan(kind)
    shown = forest(Lineage(store)) if tree else entries_table(entries)
    own = [entry for entry in entries if isinstance(entry, Artifact) and not entry.embedded]
    session.answer(
        {"home": str(store.home), "artifacts": [_listed(entry) for entry in entries]},
        shown if entries else f"Nothing yet in {store.home}",
        f"show {_named(max(own, key=lambda entry: entry.manifest.created))}" if own else 'say "hello" -o hello.wav',
    )


def speakers(store: "Store") -> "list[Speaker]":
    """Every name that --voice takes: voices, bases, and the speakers of bases as ``english:kathleen``."""
    from voxgrad.voice.speakers import Speaker, speakers_of
    from voxgrad.weights import languages_of

    listed = []
    newest = {artifact.name: artifact for kind in ("voice", "base") for artifact in store.list(kind)}
    for name, artifact in newest.items():
        known = {speaker.name: speaker for speaker in speakers_of(artifact, languages_of(artifact, store))}
        own = artifact.manifest.settings.get("acoustic", {}).get("voice")
        listed.append(replace(known.get(own, Speaker(name, None, None, None, None)), name=name))
        if artifact.kind == "base":
            listed += [replace(speaker, name=f"{name}:{speaker.name}") for speaker in known.values()]
    return listed


def speakers_table(listed: "Sequence[Speaker]") -> "Table":
    """Names for --voice, with what is known of each."""
    from voxgrad.text.languages import name_of

    shown = table("name", "sex", "accent", "pitch", no_wrap={"name"})
    for speaker in listed:
        only = None if speaker.language is None else f"speaks {name_of(speaker.language)}"
        shown.add_row(speaker.name, speaker.sex, speaker.accent or only, speaker.pitch)
    return shown


def entries_table(entries: "Sequence[StoreEntry]") -> "Table":
    """Artifacts as lines of a table that can be read at 80 columns."""
    from voxgrad.store import DamagedArtifact
    from voxgrad.text.languages import named

    shown = table(
        *("kind", "ref", "created", "size", "from"), no_wrap={"kind", "ref", "created", "size"}, right={"size"}
    )
    for entry in entries:
        if isinstance(entry, DamagedArtifact):
            shown.add_row(entry.kind, entry.ref, entry.state, "", entry.error.message, style="red")
            continue
        taught = [named([code]) for code in entry.manifest.settings.get("languages", ())]
        origin = [*taught, *entry.parent_refs.values(), *["(comes with voxgrad)"] * entry.embedded]
        created = entry.manifest.created[:10]
        shown.add_row(entry.kind, entry.ref, created, size(entry.size), ", ".join(origin))
    return shown


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

    from voxgrad.store import DamagedArtifact

    if isinstance(entry, DamagedArtifact):
        return Text(f"{entry}, {entry.state}", style="red")
    parents = entry.manifest.parents.items()
    gone = [f"{role} {parent.ref}" for role, parent in parents if lineage.origin(parent) is None]
    missing = f" (missing: {', '.join(gone)})" if gone else ""
    return Text(f"{entry}, {size(entry.size)}{missing}{note}")


def _named(location: "ArtifactLocation") -> str:
    return f"{location.kind}/{location.ref}"


def _place(location: "ArtifactLocation") -> dict[str, Any]:
    return {"kind": location.kind, "ref": location.ref}


def _listed(entry: "StoreEntry") -> dict[str, Any]:
    from voxgrad.store import DamagedArtifact

    place = {name: getattr(entry, name) for name in ("kind", "name", "version", "ref", "embedded")}
    if isinstance(entry, DamagedArtifact):
        return {**place, "damaged": str(entry.error)}
    about = {"created": entry.manifest.created, "size": entry.size, "digest": entry.digest}
    return {**place, "damaged": None, **about, "parents": entry.parent_refs}


@command()
def show(session: Session, ref: Reference) -> None:
    """Show an artifact, its files, and what it was made from."""
    from voxgrad.store import Artifact, Lineage

    artifact = session.store.find_of(ref)
    lineage = Lineage(session.store)
    known = [ancestor for ancestor in lineage.ancestors(artifact) if isinstance(ancestor, Artifact)]
    whole = artifact.size + sum(ancestor.size for ancestor in known)
    made = lineage.children(artifact)
    session.answer(
        {
            "manifest": artifact.manifest.model_dump(),
            "digest": artifact.digest,
            "embedded": artifact.embedded,
            "directory": str(artifact.directory),
            "size": artifact.size,
            "size_with_lineage": whole,
            "lineage": _ancestors(lineage, artifact),
            "made_from_it": [{**_place(entry), "digest": entry.digest} for entry in made],
        },
        _page(artifact, lineage, made, whole),
        use_of(artifact),
    )


def _ancestors(lineage: "Lineage", artifact: "Artifact") -> list[dict[str, Any]]:
    """What an artifact was made from, as far back as the store knows; the size is null where a manifest is not read."""
    from voxgrad.store import Artifact

    def ancestor(role: str, parent: "Parent") -> dict[str, Any]:
        # No circle is possible: a manifest would have to contain its own digest.
        origin = lineage.origin(parent)
        about: dict[str, Any] = {"role": role, "ref": parent.ref, "digest": parent.digest}
        if isinstance(origin, Artifact):
            return {**about, "state": "here", "size": origin.size, "lineage": _ancestors(lineage, origin)}
        return {**about, "state": "missing" if origin is None else origin.state, "size": None, "lineage": []}

    return [ancestor(role, parent) for role, parent in artifact.manifest.parents.items()]


def _page(artifact: "Artifact", lineage: "Lineage", made: "tuple[Artifact, ...]", whole: int) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text
    from rich.tree import Tree

    manifest = artifact.manifest
    about = {
        "languages": _spoken(artifact, lineage),
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
    kinds = sorted({entry.kind for entry in made})
    by_kind = {kind: few([entry.ref for entry in made if entry.kind == kind]) for kind in kinds}
    ancestors = _ancestors(lineage, artifact)
    origin = f"made from ({size(whole - artifact.size)})" if ancestors else "made from no other artifact"
    tree = Tree(Text(origin, style="bold"))
    _grow(tree, ancestors)
    return Group(
        section(str(artifact), {name: str(value) for name, value in about.items() if value is not None}),
        section("metrics", flattened(manifest.metrics)),
        section("settings", flattened(_without_long_list(manifest.settings))),
        section(f"files ({size(artifact.size)})", files),
        section("made from it", by_kind),
        tree,
    )


def _spoken(artifact: "Artifact", lineage: "Lineage") -> str | None:
    """The languages that an artifact speaks or teaches, for people; None for what does not speak."""
    from voxgrad.text.languages import named
    from voxgrad.weights import languages_of, own_language, spoken_by

    if artifact.kind == "language":
        taught = artifact.manifest.settings
        return ", ".join(f"{named([code])} by {taught['voices'][code]}" for code in taught["languages"])
    if artifact.kind == "onnx":
        return named([own_language(artifact)])
    if artifact.kind not in {"voice", "base"}:
        return None
    return named(spoken_by(artifact, languages_of(artifact, lineage.store)))


def _without_long_list(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings in which the speakers of a large base are only counted."""
    acoustic = settings.get("acoustic", {})
    if len(speakers := acoustic.get("speakers", ())) <= _FILES_SHOWN:
        return settings
    return {**settings, "acoustic": {**acoustic, "speakers": f"{len(speakers)}: `voxgrad ls speakers` lists them"}}


def _grow(tree: "Tree", ancestors: "Sequence[dict[str, Any]]") -> None:
    from rich.text import Text

    for ancestor in ancestors:
        here = ancestor["size"] is not None
        mark = f", {size(ancestor['size'])}" if here else f" ({ancestor['state']})"
        branch = tree.add(Text(f"{ancestor['role']}: {ancestor['ref']}{mark}", style="" if here else "red"))
        _grow(branch, ancestor["lineage"])


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


@command()
def verify(
    session: Session,
    ref: Annotated[str | None, typer.Argument(metavar="REF", help="Such as alice@v3 (default: everything).")] = None,
    *,
    full: Annotated[
        bool, typer.Option("--full/--quick", help="Read every byte (default), or check manifests and sizes only.")
    ] = True,
) -> None:
    """Check artifacts for damage. Also lists what depends on damaged ones; repairs nothing."""
    from voxgrad.store import Lineage
    from voxgrad.store.maintenance import verify as look

    lineage = Lineage(session.store)
    chosen = lineage.everything if ref is None else (session.store.locate(ref),)
    with session.progress() as progress:
        findings = look(lineage, chosen, full=full, emit=progress.emit)
    damaged = [
        {
            **_place(finding.artifact),
            "problems": [problem.message for problem in finding.problems],
            "dependents": [str(dependent) for dependent in finding.dependents],
        }
        for finding in findings
    ]
    session.answer(
        {"home": str(session.store.home), "full": full, "verified": len(chosen), "damaged": damaged},
        _verdict(findings, len(chosen)),
    )
    if findings:
        raise typer.Exit(ExitCode.INTEGRITY)


def _verdict(findings: "Sequence[Finding]", verified: int) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    shown = 5  # a dataset has thousands of files; --json lists them all
    lines: list[Text] = []
    for finding in findings:
        lines.append(Text(f"{finding.artifact}", style="bold red"))
        lines += [Text(f"  {problem.message}") for problem in finding.problems[:shown]]
        if len(finding.problems) > shown:
            lines.append(Text(f"  and {len(finding.problems) - shown} more files"))
        if finding.dependents:
            lines.append(Text(f"  made from it: {', '.join(str(dependent) for dependent in finding.dependents)}"))
    if not findings:
        return Text("1 artifact, intact" if verified == 1 else f"{verified} artifacts, all intact")
    mend = "`voxgrad import` replaces it with an intact copy, `voxgrad rm` removes it"
    return Group(*lines, Text(f"damaged: {len(findings)} of {verified}; {mend}"))


@command()
def rm(
    session: Session,
    ref: Reference,
    *,
    cascade: Annotated[bool, typer.Option("--cascade", help="Also remove everything that was made from it.")] = False,
) -> None:
    """Move an artifact to the trash. Its number is never used again."""
    from voxgrad.store.maintenance import remove

    removed = remove(session.store, session.store.locate(ref), cascade=cascade)
    _tell(session, "removed", removed, f"restore {_named(removed[0])}")


def _tell(session: Session, what: str, entries: "Sequence[StoreEntry]", then: str) -> None:
    listed = "\n".join(f"{what} {entry}" for entry in entries)
    session.answer({what: [_place(entry) for entry in entries]}, listed, then)


@command()
def restore(
    session: Session,
    ref: Annotated[
        str | None, typer.Argument(metavar="REF", help="Such as alice@v3 (default: list the trash).")
    ] = None,
) -> None:
    """Bring an artifact back from the trash. What it was made from comes back too."""
    from voxgrad.store.maintenance import in_trash
    from voxgrad.store.maintenance import restore as bring_back

    if ref is not None:
        restored = bring_back(session.store, ref)
        _tell(session, "restored", restored, f"show {_named(restored[0])}")
        return
    trash = in_trash(session.store)
    shown = table("kind", "ref", "removed", no_wrap={"kind", "removed"})
    for trashed in trash:
        shown.add_row(trashed.location.kind, trashed.location.ref, f"{trashed.removed:%Y-%m-%d %H:%M}")
    then = f"restore {_named(trash[0].location)}" if trash else None
    session.answer({"trash": _trash(trash)}, shown if trash else "Nothing in the trash", then)


def _trash(trash: "Sequence[Trashed]") -> list[dict[str, Any]]:
    return [{**_place(lost.location), "removed": f"{lost.removed:%Y-%m-%dT%H:%M:%SZ}"} for lost in trash]


@command()
def gc(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    days: Annotated[
        int, typer.Option(min=0, metavar="N", help="Keep artifacts that were removed in the last N days.")
    ] = 14,
) -> None:
    """Delete old trash, temporary files and leftovers of prepare. Never touches artifacts or runs."""
    from voxgrad.store.maintenance import collect

    done = collect(session.store, dry_run=dry_run, trash_age=timedelta(days=days))
    lines = [f"{trashed.location}, removed {trashed.removed:%Y-%m-%d}" for trashed in done.trash]
    lines += [f"{len(done.staging)} abandoned staging folders"] * bool(done.staging)
    if done.prepared:
        lines.append(f"{len(done.prepared)} prepared recordings without a dataset, {size(done.prepared_size)}")
    verb = "would free" if dry_run else "freed"
    session.answer(
        {
            "dry_run": dry_run,
            "staging": len(done.staging),
            "prepared": {"files": len(done.prepared), "size": done.prepared_size},
            "trash": _trash(done.trash),
            "size": done.size,
        },
        "\n".join([*lines, f"{verb} {size(done.size)}"]),
        f"gc --days {days}" if dry_run and done.size else None,
    )
