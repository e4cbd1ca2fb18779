"""`voxgrad export` and `import`: artifacts as archives, for other programs, and official checkpoints."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

import typer

from voxgrad.cli.prepare import Frontend
from voxgrad.cli.shared_options import Session, command
from voxgrad.cli.store import Reference
from voxgrad.cli.terminal import identity, section, size, use_of
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.settings import OnnxSpec
    from voxgrad.store import Artifact

Format = Literal["voxgrad", "onnx", "safetensors"]
Program = Literal["sherpa-onnx", "speech-dispatcher"]
Quantize = Literal["none", "half", "int8"]
Kind = Literal["base", "vocoder"]

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
_HEAD = 512  # bytes that tell what a file is
_OF_CHECKPOINTS = ("kind", "pe_scale", "text_frontend", "config", "licence")


@command()
def export(
    session: Session,
    ref: Reference,
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
    small: Annotated[
        bool, typer.Option("--small", help="Archive: a voice as the difference from its base, as a new version.")
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="An archive, an ONNX graph of a voice, or its weights.")
    ] = "voxgrad",
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
    language: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="Graph: the language that it speaks (default: the voice's own)."),
    ] = None,
    speaker: Annotated[
        str | None, typer.Option(metavar="NAME", help="sherpa-onnx: the speaker, if a base is exported.")
    ] = None,
) -> None:
    """Export an artifact to a file, or a voice to other programs. Consent and licence are included."""
    sherpa = program == "sherpa-onnx"
    graph = format_ == "onnx" or sherpa
    archive = format_ == "voxgrad" and program is None
    if program is not None and format_ != "voxgrad":
        raise BadInputError("--for sets the format", "Leave out --format.")
    if with_parents and not archive:
        raise BadInputError("only archives can include parents", "Leave out --with-parents.")
    if half and not archive:
        raise BadInputError("--half works only for archives", "For a graph, use --quantize half.")
    if small and (half or not archive):
        raise BadInputError("--small works only for archives, without --half", "Leave one of them out.")
    for name, value in (("steps", steps), ("quantize", quantize), ("vocoder", vocoder), ("language", language)):
        if value is not None and not graph:
            raise BadInputError(f"--{name} works only for graphs", "Add --format onnx, or omit it.")
    if speaker is not None and not sherpa:
        raise BadInputError("--speaker works only with --for sherpa-onnx", "Leave it out.")
    if graph:
        from voxgrad.settings import OnnxSpec

        given = {"steps": steps, "quantize": quantize}
        spec = OnnxSpec.model_validate({name: value for name, value in given.items() if value is not None})
        _graph(session, ref, output, spec, vocoder, language, speaker, sherpa=sherpa)
    elif program == "speech-dispatcher":
        _speech_dispatcher(session, ref)
    elif format_ == "safetensors":
        _weights(session, ref, output)
    else:
        artifact = _lighter(session, ref, small=small) if half or small else session.store.find_of(ref)
        _archive(session, artifact, output, with_parents=with_parents)


def _graph(
    session: Session,
    ref: str,
    output: Path | None,
    spec: "OnnxSpec",
    vocoder: str | None,
    language: str | None,
    speaker: str | None,
    *,
    sherpa: bool,
) -> None:
    from voxgrad.onnx.runtime import KIND
    from voxgrad.steps.onnx import SUFFIX, export_onnx, export_sherpa
    from voxgrad.text.languages import known_language, named
    from voxgrad.voice.load import find_voice
    from voxgrad.weights import name_in, own_language

    voice = find_voice(session.store, ref)
    code = own_language(voice) if language is None else known_language(language)
    if voice.kind != KIND:
        session.loading()
    default = f"{voice.name}-sherpa-onnx" if sherpa else f"{name_in(voice, code)}-v{voice.version}{SUFFIX}"
    target = Path(default) if output is None else output
    agreement: dict[str, float | None] = {}
    with session.progress() as progress:
        if sherpa:
            count = export_sherpa(session.store, voice, vocoder, code, target, spec, speaker, progress.emit)
        else:
            count, agreement = export_onnx(session.store, voice, vocoder, code, target, spec, progress.emit)
    rows = {"graph": f"{spec.steps} steps of {spec.sampler}, weights: {spec.quantize}, {size(count)}"}
    rows["language"] = named([code])
    if agreement:
        figures = (f"{name} {value:g}" for name, value in agreement.items() if value is not None)
        rows["against torch"] = ", ".join(figures)
    session.answer(
        {**_written(target, [voice]), "size": count, "language": code, "against_torch": agreement, **_terms(voice)},
        section(str(target), {**rows, **terms(voice)}),
        None if sherpa else f"import {shlex.quote(str(target))}",
    )


def _written(target: Path, artifacts: "list[Artifact]") -> dict[str, Any]:
    return {"file": str(target), "artifacts": [str(each) for each in artifacts], "digest": artifacts[0].digest}


def _terms(artifact: "Artifact") -> dict[str, str | None]:
    return {"consent": artifact.manifest.consent, "licence": artifact.manifest.licence}


def terms(artifact: "Artifact") -> dict[str, str]:
    """What an artifact may be used for, as its manifest says."""
    return {name: "none recorded" if value is None else value for name, value in _terms(artifact).items()}


def _archive(session: Session, artifact: "Artifact", output: Path | None, *, with_parents: bool) -> None:
    from voxgrad.files import check_file
    from voxgrad.store import DamagedArtifact, Lineage
    from voxgrad.store.archive import SUFFIX
    from voxgrad.store.archive import export as write

    packed = [artifact]
    for ancestor in reversed(Lineage(session.store).ancestors(artifact) if with_parents else ()):
        if isinstance(ancestor, DamagedArtifact):
            raise ancestor.error
        packed.append(ancestor)
    target = Path(f"{artifact.name}-v{artifact.version}{SUFFIX}") if output is None else output
    check_file(target)
    with session.progress() as progress:
        write(packed, target, progress.emit)
    count = target.stat().st_size
    session.answer(
        {**_written(target, packed), "size": count, **_terms(artifact)},
        section(f"{target}, {size(count)}", {"holds": ", ".join(map(str, packed)), **terms(artifact)}),
        f"import {shlex.quote(str(target))}",
    )


def _lighter(session: Session, ref: str, *, small: bool) -> "Artifact":
    from voxgrad.voice.load import require_torch

    require_torch()
    session.loading()
    from voxgrad.steps.weights import halve_weights, shrink

    with session.progress() as progress:
        return (shrink if small else halve_weights)(session.store, session.store.find_of(ref), progress.emit)


def _weights(session: Session, ref: str, output: Path | None) -> None:
    from voxgrad.voice.load import find_voice, require_torch

    voice = find_voice(session.store, ref)
    require_torch()
    session.loading()
    from voxgrad.steps.weights import export_weights

    target = Path(f"{voice.name}-safetensors") if output is None else output
    export_weights(voice, target)
    holds = section(str(target), {"holds": str(voice), **terms(voice)})
    session.answer(_written(target, [voice]), holds, f"import {shlex.quote(str(target))}")


def _speech_dispatcher(session: Session, ref: str) -> None:
    """Print a configuration with which speech-dispatcher, and so screen readers on Linux, speak with a voice."""
    from voxgrad.voice.load import find_voice

    if session.json:
        raise BadInputError("--json and --for speech-dispatcher cannot be used together", "Leave out --json.")
    voice, program = find_voice(session.store, ref), Path(sys.argv[0]).absolute()
    configuration = _SPEECH_DISPATCHER.format(
        voice=voice,
        command=shlex.quote(str(program)),
        dependency=f'"{program}"',
        home=shlex.quote(str(session.store.home)),
        ref=shlex.quote(f"{voice.kind}/{voice.ref}"),  # with its version, so that it goes on to mean it
        name=voice.name,
    )
    sys.stdout.write(configuration)


@command()
def import_artifact(
    session: Session,
    *,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .voxgrad, .onnx, .pt, .pth, .ckpt or .safetensors file, or an exported folder."
        ),
    ],
    kind: Annotated[Kind | None, typer.Option(help="Checkpoint: base for Grad-TTS, vocoder for HiFi-GAN.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the artifact (default: from the archive, or the file's name).")
    ] = None,
    pe_scale: Annotated[int | None, typer.Option(metavar="1|1000", help="Base: 1000, or 1 for grad-tts-old.")] = None,
    text_frontend: Annotated[
        Frontend | None, typer.Option(help="Base: text front end; official for the released checkpoints.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Vocoder: its config.json.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of a checkpoint; kept in the manifest.")] = None,
    limit: Annotated[
        float | None, typer.Option(min=0, metavar="GB", help="Archive: maximum unpacked size (default: 50).")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="ONNX: accept a graph that voxgrad did not export.")] = False,
) -> None:
    """Import what `export` wrote, or an official checkpoint. Checkpoints are those of Grad-TTS and HiFi-GAN."""
    from voxgrad.onnx.runtime import MODEL
    from voxgrad.store.archive import is_archive
    from voxgrad.store.artifact import plain_name

    if (graph := file / MODEL).is_file():  # `export --format onnx` wrote this folder
        file = graph
    _check_is_itself(file)
    if file.suffix == ".onnx":
        _refuse(session, (*_OF_CHECKPOINTS, "limit"), "a graph already contains this setting")
        from voxgrad.steps.onnx import import_onnx

        imported = import_onnx(session.store, file, name=name, trust=trust)
    elif file.is_dir():
        _refuse(session, (*_OF_CHECKPOINTS, "limit"), "an exported folder already contains this setting")
        from voxgrad.steps.weights import import_weights

        called = plain_name(file.resolve().name) if name is None else name
        imported = import_weights(session.store, file, name=called)
    elif trust:
        raise BadInputError("--trust works only for ONNX files", "Leave it out.")
    elif is_archive(file):
        _refuse(session, _OF_CHECKPOINTS, "an archive already contains this setting")
        _import_archive(session, file, name, limit)
        return
    else:
        _refuse(session, ("limit",), "a checkpoint is never larger than its file")
        called = plain_name(file.stem) if name is None else name
        imported = _import_checkpoint(session, file, called, kind, pe_scale, text_frontend, config, licence)

    session.answer(identity(imported), section(f"{imported} from {file.name}", terms(imported)), use_of(imported))


def _import_archive(session: Session, file: Path, name: str | None, limit: float | None) -> None:
    from rich.console import Group

    from voxgrad.store.archive import LIMIT, import_archive

    allowed = LIMIT if limit is None else int(limit * 1e9)
    with session.progress() as progress:
        arrivals = import_archive(session.store, file, name=name, limit=allowed, emit=progress.emit)
    sections, listed = [], []
    for arrival in arrivals:
        artifact = arrival.artifact
        note = "" if arrival.new else ", here already"
        called = "" if arrival.was == artifact.ref else f" (in the archive: {arrival.was})"
        sections.append(section(f"{artifact}{called}{note}", terms(artifact)))
        about = {"kind": artifact.kind, "ref": artifact.ref, "was": arrival.was, "new": arrival.new}
        listed.append({**about, "digest": artifact.digest, **_terms(artifact)})
    session.answer({"artifacts": listed}, Group(*sections), use_of(arrivals[0].artifact))


def _import_checkpoint(
    session: Session,
    file: Path,
    name: str,
    kind: Kind | None,
    pe_scale: int | None,
    text_frontend: Frontend | None,
    config: Path | None,
    licence: str | None,
) -> "Artifact":
    from voxgrad.steps.weights import import_base, import_vocoder

    if kind is None:
        raise BadInputError("the kind of this checkpoint is unknown", "Give --kind base or --kind vocoder.")
    if kind == "base":
        scale, frontend = _scale(pe_scale), _frontend(text_frontend)
        return import_base(session.store, file, name=name, pe_scale=scale, frontend=frontend, licence=licence)
    if config is None:
        raise BadInputError(
            "a HiFi-GAN needs its config", "Give --config config.json, which comes with the checkpoint."
        )
    return import_vocoder(session.store, file, config, name=name, licence=licence)


def _refuse(session: Session, parameters: Iterable[str], reason: str) -> None:
    for name in parameters:
        if name in session.given:
            raise BadInputError(reason, f"Leave out {session.given[name]}.")


def _check_is_itself(file: Path) -> None:
    """Refuse what is not there, and what is often downloaded in place of a file."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except FileNotFoundError as error:
        raise BadInputError(f"there is no {file}", "Give the path of a file or folder.") from error
    except OSError:
        return  # the reader of the whole file reports it
    if head.startswith(b"version https://git-lfs"):
        raise BadInputError(
            f"{file.name} is a Git LFS pointer, not the file itself", "Get the file with `git lfs pull`."
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise BadInputError(f"{file.name} is a web page", "Download the file itself, not its web page.")


def _scale(given: int | None) -> Literal[1, 1000]:
    if given is None and sys.stdin.isatty():
        # On standard error, for --json keeps standard output for its one object.
        given = int(typer.prompt("pe_scale: 1 for grad-tts-old, else 1000", type=int, default=1000, err=True))
    if given in {1, 1000}:
        return cast("Literal[1, 1000]", given)
    raise BadInputError(
        "the weights do not show the scale of the time embedding, and a wrong scale gives wrong speech",
        "Give --pe-scale 1000, or 1 for the oldest checkpoint (grad-tts-old).",
    )


def _frontend(given: Frontend | None) -> Frontend:
    if given is None and sys.stdin.isatty():
        given = cast("Frontend", typer.prompt("text front end: official or voxgrad", default="official", err=True))
    if given not in get_args(Frontend):
        raise BadInputError(
            "the weights do not show their text front end, and a wrong one gives wrong speech",
            "Give --text-frontend official for the released checkpoints.",
        )
    return cast("Frontend", given)
