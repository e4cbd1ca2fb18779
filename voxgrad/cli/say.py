"""`voxgrad say` and `serve`: texts become speech, here and for other programs."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voxgrad.cli.shared_options import (
    Like,
    NoConsentNeeded,
    NoMetadata,
    Pronunciations,
    Seed,
    Session,
    Strict,
    Timings,
    Vocoder,
    Voice,
    command,
)
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.server.settings import ServerSettings
    from voxgrad.settings import DeliverySpec, SynthesisSpec

Format = Literal["wav", "flac", "ogg", "mp3", "m4a", "m4b", "opus"]


@command(synthesis="voxgrad.settings.SynthesisSpec", delivery="voxgrad.settings.DeliverySpec")
def say(
    session: Session,
    *,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            help="English text, SSML, or the name of a file (default: standard input, one utterance per line).",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "-f",
            "--file",
            metavar="FILE",
            help="Speak a file: text, SSML, Markdown, HTML, EPUB, or JSON lines with text, voice, speed, seed and out.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Output: .wav, .flac, .ogg, .mp3, .m4a, .m4b or .opus; - streams WAV to stdout.",
        ),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "-d", "--directory", metavar="DIR", help="Write one audio file per line, or per chapter of a book, to DIR."
        ),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format", help="Format of files that you do not name (default: that of --for, or wav; for books m4b)."
        ),
    ] = None,
    play: Annotated[bool, typer.Option("--play", help="Play the speech while it is made; write no file.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Stream raw samples without a header.")] = False,
    voice: Voice = None,
    like: Like = None,
    no_consent_needed: NoConsentNeeded = None,
    vocoder: Vocoder = None,
    engine: Annotated[
        Literal["auto", "torch", "onnx"],
        typer.Option(help="Compute with torch or ONNX Runtime (onnx); auto: onnx where it can."),
    ] = "auto",
    synthesis: "SynthesisSpec",
    delivery: "DeliverySpec",
    ssml: Annotated[bool, typer.Option("--ssml", help="The text is SSML; <speak> is optional.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The text is Markdown: *word* is emphasised.")] = False,
    cast: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VOICE,...",
            help="Voices of lines such as `alice: Hello.` and of SSML: alice=alice@v2,bob=english:kathleen.",
        ),
    ] = None,
    chapters: Annotated[
        str | None, typer.Option(metavar="N-M", help="Chapters to speak, such as 3-5 or 1,4- (default: all).")
    ] = None,
    list_chapters: Annotated[
        bool, typer.Option("--list-chapters", help="List the chapters of a book instead of speaking them.")
    ] = False,
    lexicon: Pronunciations = None,
    strict: Strict = False,
    seed: Seed = 0,
    timings: Timings = None,
    no_metadata: NoMetadata = False,
) -> None:
    """Speak a text, a file, or standard input."""
    from voxgrad.cli.like import chosen_voice
    from voxgrad.cli.say_book import is_book, list_book, say_book
    from voxgrad.cli.say_input import SayInput, file_named, read_cast, read_input
    from voxgrad.cli.say_output import SayRequest
    from voxgrad.voice.timings import timings_file

    stdout = str(output) in {"None", "-"}
    for clash, message, mend in (
        (output is not None and directory is not None, "-o and -d cannot be used together", "Give one of them."),
        (ssml and markdown, "--ssml and --markdown cannot be used together", "Give one of them."),
        (raw and not stdout, "--raw streams to standard output", "Omit -o, or use -o -."),
        (play and (output or directory or raw), "--play writes no file and no stream", "Omit -o, -d and --raw."),
    ):
        if clash:
            raise BadInputError(message, mend)
    if timings is not None:
        timings_file(timings)
    members = read_cast(cast)
    if file is None and (file := file_named(text)) is not None:
        session.tell(f"speaking the file {file}")
        text = None
    book = is_book(text, file)
    if book is None and (chapters is not None or list_chapters):
        raise BadInputError("--chapters and --list-chapters work only for books", "Give an .epub file.")
    if book is not None and list_chapters:
        list_book(session, book)
        return
    source = (
        SayInput((), folder=book.parent)
        if book is not None
        else read_input(
            *(text, file),
            markup="ssml" if ssml else "markdown" if markdown else None,
            names=tuple(members),
            one=output is not None or raw or play,
            lines=directory is not None,
        )
    )
    request = SayRequest(
        session=session,
        voice=chosen_voice(session, voice, like, synthesis.language, no_consent_needed),
        vocoder=vocoder,
        lexicon=lexicon,
        strict=strict,
        synthesis=synthesis,
        engine=engine,
        delivery=delivery,
        seed=seed,
        timings=timings,
        metadata=not no_metadata,
        ending=format_ or delivery.format or ("wav" if book is None else "m4b"),
        cast=members,
        folder=source.folder,
    )
    session.warn(source.warnings)
    if book is not None:
        say_book(request, book, Path("-") if play else output, directory, chapters)
    elif raw or play or str(output) == "-":
        request.to_stream(source, raw=raw, play=play)
    elif source.one:
        request.to_one_file(source.joined(), output)
    else:
        request.to_files(source, directory)


@command(settings="voxgrad.server.settings.ServerSettings")
def serve(session: Session, *, settings: "ServerSettings") -> None:
    """Speak for other programs, and clone voices on a web page. Stop it with Ctrl-C."""
    missing = [
        name for name in ("starlette", "uvicorn", "prometheus_client", "wyoming", "av") if find_spec(name) is None
    ]
    if missing:
        raise BadInputError(
            f"voxgrad serve needs {', '.join(missing)}", "Install it with: pip install 'voxgrad[serve]'."
        )
    import logging

    from voxgrad.server.app import serve as run

    logging.basicConfig(
        level=logging.INFO if session.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if settings.log_text:
        logging.getLogger("voxgrad.server").setLevel(logging.INFO)

    def ready(address: str, wyoming_port: int | None) -> None:
        beside = "" if wyoming_port is None else f", and for Wyoming on port {wyoming_port}"
        told = {"address": address, "wyoming": wyoming_port, "workers": settings.workers}
        session.answer(told, f"voxgrad listens at {address}{beside}; open it in a browser, or press Ctrl-C to stop it")

    run(session.store, settings, ready)
