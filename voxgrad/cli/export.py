"""`voxgrad export`: artifacts out of the store, as archives and for other programs."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.settings import OnnxSpec
    from voxgrad.store import Artifact, Store

_OF_GRAPHS = frozenset({"steps", "quantize", "vocoder"})
_SPEECH_DISPATCHER = """\
# {voice}, by voxgrad. Save this as ~/.config/speech-dispatcher/modules/voxgrad.conf and add to speechd.conf there:
#   AddModule "voxgrad" "sd_generic" "voxgrad.conf"
#   DefaultModule "voxgrad"
GenericExecuteSynth \\
"printf %s \\'$DATA\\' | {command} -q --home {home} say --voice {ref} --speed $RATE -o - | $PLAY_COMMAND"
GenericCmdDependency {dependency}
GenericLanguage "en" "en" "utf-8"
# -100 to 100 become speeds of 0.2 to 1.8.
GenericRateAdd 1
GenericRateMultiply 0.8
AddVoice "en" "MALE1" "{name}"
AddVoice "en" "FEMALE1" "{name}"
DefaultVoice "{name}"
"""


class Format(StrEnum):
    """What an artifact is written as."""

    VOXGRAD = "voxgrad"
    ONNX = "onnx"
    SAFETENSORS = "safetensors"


class Program(StrEnum):
    """Which other program shall speak with it."""

    SHERPA = "sherpa-onnx"
    SPEECH_DISPATCHER = "speech-dispatcher"


class Quantize(StrEnum):
    """Weights of a graph; see `voxgrad.settings.OnnxSpec`."""

    NONE = "none"
    HALF = "half"
    INT8 = "int8"


def export(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="Such as alice@v3 or voice/alice@v3.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PATH", help="Output: a file, or a folder for other programs."),
    ] = None,
    with_parents: Annotated[
        bool, typer.Option("--with-parents", help="Include everything that it was made from.")
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Archive: store the weights in half precision, as a new version.")
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="An archive, an ONNX graph of a voice, or its weights.")
    ] = Format.VOXGRAD,
    program: Annotated[
        Program | None, typer.Option("--for", help="Write what this program needs to speak with the voice.")
    ] = None,
    quantize: Annotated[
        Quantize | None, typer.Option(help="Graph: weights in float32 (none), float16 (half) or int8.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Graph: number of diffusion steps (default: 2).")
    ] = None,
    vocoder: Annotated[
        str | None, typer.Option(metavar="REF", help="Graph: its vocoder (default: the newest that fits).")
    ] = None,
    speaker: Annotated[
        str | None, typer.Option(metavar="NAME", help="sherpa-onnx: the speaker, if a base is exported.")
    ] = None,
) -> None:
    """Export an artifact to a file, or a voice to other programs. Consent and licence are included."""
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    graph = format_ is Format.ONNX or program is Program.SHERPA
    _check(context, graph=graph, archive=format_ is Format.VOXGRAD and program is None)
    if speaker is not None and program is not Program.SHERPA:
        raise BadInputError("--speaker works only with --for sherpa-onnx", "Leave it out.")
    if program is Program.SPEECH_DISPATCHER:
        _module(session, store, ref)
    elif graph:
        spec = _spec(steps, quantize)
        _graph(session, store, ref, output, spec, vocoder, speaker, sherpa=program is Program.SHERPA)
    elif format_ is Format.SAFETENSORS:
        _weights(session, store, ref, output)
    else:
        _archive(session, store, ref, output, with_parents=with_parents, half=half)


def _check(context: typer.Context, *, graph: bool, archive: bool) -> None:
    if context.params["program"] is not None and context.params["format_"] is not Format.VOXGRAD:
        raise BadInputError("--for sets the format", "Leave out --format.")
    if context.params["with_parents"] and not archive:
        raise BadInputError("only archives can include parents", "Leave out --with-parents.")
    if context.params["half"] and not archive:
        raise BadInputError("--half works only for archives", "For a graph, use --quantize half.")
    for name in _OF_GRAPHS:
        if context.params[name] is not None and not graph:
            raise BadInputError(f"--{name} works only for graphs", "Add --format onnx, or omit it.")


def _spec(steps: int | None, quantize: Quantize | None) -> "OnnxSpec":
    from voxgrad.settings import OnnxSpec

    given = {"steps": steps, "quantize": None if quantize is None else quantize.value}
    return OnnxSpec.model_validate({name: value for name, value in given.items() if value is not None})


def _graph(
    session: Session,
    store: "Store",
    ref: str,
    output: Path | None,
    spec: "OnnxSpec",
    vocoder: str | None,
    speaker: str | None,
    *,
    sherpa: bool,
) -> None:
    from voxgrad.cli.import_artifact import terms
    from voxgrad.cli.terminal import Renderer, answer, section, size
    from voxgrad.onnx.runtime import KIND
    from voxgrad.steps.onnx import SUFFIX, export_onnx, export_sherpa
    from voxgrad.voice.load import find_voice

    voice = find_voice(store, ref)
    if voice.kind != KIND:
        session.loading()
    default = f"{voice.name}-sherpa-onnx" if sherpa else f"{voice.name}-v{voice.version}{SUFFIX}"
    target = Path(default) if output is None else output
    found: dict[str, Any] = {}
    with Renderer(session) as renderer:
        if sherpa:
            count = export_sherpa(store, voice, vocoder, target, spec, speaker, renderer.emit)
        else:
            written = export_onnx(store, voice, vocoder, target, spec, renderer.emit)
            count, found = written.size, dict(written.graph.manifest.metrics.get("against_torch", {}))
    rows = {"graph": f"{spec.steps} steps of {spec.sampler}, weights: {spec.quantize}, {size(count)}"}
    if found:
        rows["against torch"] = ", ".join(f"{name} {value:g}" for name, value in found.items() if value is not None)
    answer(
        session,
        {
            "file": str(target),
            "artifacts": [str(voice)],
            "digest": voice.digest,
            "size": count,
            "against_torch": found,
            "consent": voice.manifest.consent,
            "licence": voice.manifest.licence,
        },
        section(str(target), {**rows, **terms(voice)}),
    )


def _archive(
    session: Session, store: "Store", ref: str, output: Path | None, *, with_parents: bool, half: bool
) -> None:
    from voxgrad.cli.import_artifact import terms
    from voxgrad.cli.terminal import Renderer, answer, section, size
    from voxgrad.store import Artifact, Lineage
    from voxgrad.store.archive import SUFFIX
    from voxgrad.store.archive import export as write

    artifact = _halved(session, store, ref) if half else store.find(ref)
    ancestors = Lineage.of(store).ancestors(artifact) if with_parents else ()
    for ancestor in ancestors:
        if not isinstance(ancestor, Artifact):
            raise ancestor.error
    parents = [ancestor for ancestor in reversed(ancestors) if isinstance(ancestor, Artifact)]
    target = Path(f"{artifact.name}-v{artifact.version}{SUFFIX}") if output is None else output
    if target.is_dir() or not target.parent.is_dir():
        raise BadInputError(f"{target} is not a path for a file", "Choose a file in an existing folder.")
    with Renderer(session) as renderer:
        write([artifact, *parents], target, renderer.emit)
    manifest = artifact.manifest
    answer(
        session,
        {
            "file": str(target),
            "artifacts": [str(ancestor) for ancestor in (artifact, *parents)],
            "digest": artifact.digest,
            "size": target.stat().st_size,
            "consent": manifest.consent,
            "licence": manifest.licence,
        },
        section(
            f"{target}, {size(target.stat().st_size)}",
            {"holds": ", ".join(str(ancestor) for ancestor in (artifact, *parents)), **terms(artifact)},
        ),
    )


def _halved(session: Session, store: "Store", ref: str) -> "Artifact":
    from voxgrad.cli.terminal import Renderer
    from voxgrad.voice.load import require_torch

    require_torch()
    session.loading()
    from voxgrad.steps.weights import halve_weights

    with Renderer(session) as renderer:
        return halve_weights(store, store.find(ref), renderer.emit)


def _weights(session: Session, store: "Store", ref: str, output: Path | None) -> None:
    from voxgrad.cli.import_artifact import terms
    from voxgrad.cli.terminal import answer, section
    from voxgrad.voice.load import find_voice, require_torch

    voice = find_voice(store, ref)
    require_torch()
    session.loading()
    from voxgrad.steps.weights import export_weights

    target = Path(f"{voice.name}-safetensors") if output is None else output
    export_weights(voice, target)
    answer(
        session,
        {"file": str(target), "artifacts": [str(voice)], "digest": voice.digest},
        section(str(target), {"holds": str(voice), **terms(voice)}),
    )


def _module(session: Session, store: "Store", ref: str) -> None:
    """Print a configuration with which speech-dispatcher, and so screen readers on Linux, speak with a voice."""
    from voxgrad.voice.load import find_voice

    if session.json:
        raise BadInputError("--json and --for speech-dispatcher cannot be used together", "Leave out --json.")
    voice, command = find_voice(store, ref), Path(sys.argv[0]).absolute()
    configuration = _SPEECH_DISPATCHER.format(
        voice=voice,
        command=shlex.quote(str(command)),
        dependency=f'"{command}"',
        home=shlex.quote(str(store.home)),
        ref=shlex.quote(f"{voice.kind}/{voice.ref}"),  # with its version, so that it goes on to mean it
        name=voice.name,
    )
    sys.stdout.write(configuration)
