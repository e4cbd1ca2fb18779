"""`voxgrad say`: texts become speech."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.cli.synthesis_options import (
    Best,
    Draft,
    NoMetadata,
    Pronunciations,
    Speaker,
    Steps,
    Temperature,
    Timings,
    Vocoder,
    Voice,
)
from voxgrad.errors import BadInputError
from voxgrad.samplers import SAMPLERS
from voxgrad.settings.base import either


class Format(Enum):
    """What audio files can be."""

    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    MP3 = "mp3"
    M4B = "m4b"
    OPUS = "opus"


class EngineName(Enum):
    """What computes; see `voxgrad.speech.engines`."""

    AUTO = "auto"
    TORCH = "torch"
    ONNX = "onnx"


def say(
    context: typer.Context,
    *,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help="English text or SSML; default: standard input, an utterance a line."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "-f",
            "--file",
            metavar="FILE",
            help="Speak a file: text, SSML, Markdown, HTML, EPUB, or JSON lines of text, voice, speed, seed, out.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="A .wav, .flac, .ogg or .mp3, of a book .m4b or .opus too; - streams WAV to standard output.",
        ),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "-d",
            "--directory",
            metavar="DIR",
            help="Write an audio file for every line, or chapter of a book, to DIR.",
        ),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Format of files without a given name; default: wav, of books m4b; opus is for books.",
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Stream raw 16-bit samples without a header.")] = False,
    voice: Voice = None,
    vocoder: Vocoder = None,
    steps: Steps = None,
    draft: Draft = False,
    best: Best = False,
    engine: Annotated[
        EngineName,
        typer.Option(help="What computes: ONNX Runtime (onnx) or torch; auto: onnx once a graph was made."),
    ] = EngineName.AUTO,
    sampler: Annotated[str | None, typer.Option(help=f"{either(list(SAMPLERS))}; default: unipc.")] = None,
    start: Annotated[str, typer.Option(help="Centre of the initial noise: mu or zero.")] = "mu",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    temperature: Temperature = None,
    speaker: Speaker = None,
    speed: Annotated[float, typer.Option(min=0.2, max=5, metavar="X", help="Above 1 is faster.")] = 1.0,
    pitch: Annotated[
        float, typer.Option(min=-12, max=12, metavar="SEMITONES", help="Pitch shift, up or down.")
    ] = 0.0,
    postfilter: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="X",
            help="Sharpens the mel before the vocoder; default: 0.2, of U-Nets 0.",
        ),
    ] = None,
    question_rise: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="X",
            help="How far yes-no questions rise at their end; 0: as the voice would.",
        ),
    ] = 1.0,
    volume: Annotated[float, typer.Option(min=0.01, max=10, metavar="X", help="Above 1 is louder.")] = 1.0,
    sentence_silence: Annotated[
        float, typer.Option(min=0, max=10, metavar="SECONDS", help="Silence between sentences.")
    ] = 0.35,
    edge_silence: Annotated[
        float,
        typer.Option(
            min=0, max=10, metavar="SECONDS", help="Silence before the first and after the last sound."
        ),
    ] = 0.075,
    ssml: Annotated[
        bool, typer.Option("--ssml", help="The text is SSML, with <speak> around it or without.")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The text is Markdown: *word* is emphasised.")
    ] = False,
    cast: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VOICE,...",
            help="Voices of lines such as `alice: Hello.` and of SSML: alice=alice@v2,bob=english:kathleen.",
        ),
    ] = None,
    chapters: Annotated[
        str | None, typer.Option(metavar="N-M", help="Chapters of a book, such as 3-5 or 1,4-; default: all.")
    ] = None,
    list_chapters: Annotated[
        bool, typer.Option("--list-chapters", help="List the chapters of a book, and speak none.")
    ] = False,
    lexicon: Pronunciations = None,
    strict: Annotated[bool, typer.Option("--strict", help="Reject words that are in no dictionary.")] = False,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**63 - 1, metavar="N", help="Random seed: another seed gives another reading."
        ),
    ] = 0,
    timings: Timings = None,
    no_metadata: NoMetadata = False,
) -> None:
    """Speak a text, a file, or standard input."""
    from voxgrad.cli.say_book import is_book, list_book, say_book
    from voxgrad.cli.say_input import Reading, SayInput, chosen_markup, chosen_steps, read_cast, read_input
    from voxgrad.cli.say_output import SayRequest
    from voxgrad.presets import validated
    from voxgrad.settings import DeliverySpec, SynthesisSpec
    from voxgrad.speech.word_timings import timings_format

    if output is not None and directory is not None:
        raise BadInputError("-o and -d exclude each other", "Give one of them.")
    if raw and str(output) not in {"None", "-"}:
        raise BadInputError("--raw streams to standard output", "Leave -o out, or give -o -.")
    if timings is not None:
        timings_format(timings)
    session: Session = context.obj
    # "nan" passes through the options' limits
    asked = {
        **chosen_steps(steps, draft=draft, best=best),
        **({} if sampler is None else {"sampler": sampler}),
        "start": start,
        "precision": precision,
        "temperature": temperature,
        "speaker": speaker,
        "speed": speed,
        "question_rise": question_rise,
        "postfilter": postfilter,
    }
    values = {
        "pitch": pitch,
        "volume": volume,
        "sentence_silence": sentence_silence,
        "edge_silence": edge_silence,
    }
    members = read_cast(cast)
    book = is_book(text, file)
    if book is None and (chapters is not None or list_chapters):
        raise BadInputError("--chapters and --list-chapters are for books", "Name an .epub.")
    if book is not None and list_chapters:
        list_book(session, book)
        return
    taken = Reading(
        one=output is not None or raw,
        lines=directory is not None,
        markup=chosen_markup(ssml=ssml, markdown=markdown),
        names=tuple(members),
    )
    source = SayInput((), folder=book.parent) if book is not None else read_input(text, file, taken)
    saying = SayRequest(
        session=session,
        voice=voice,
        vocoder=vocoder,
        lexicon=lexicon,
        strict=strict,
        synthesis=validated(SynthesisSpec, asked, "say"),
        engine=engine.value,
        delivery=validated(DeliverySpec, values, "say"),
        seed=seed,
        timings=timings,
        metadata=not no_metadata,
        ending=format_.value if format_ is not None else "wav" if book is None else "m4b",
        cast=members,
        folder=source.folder,
    )
    if book is not None:
        say_book(saying, book, output, directory, chapters)
        return
    saying.warn(source.warnings)
    if raw or str(output) == "-":
        saying.stream(source, raw=raw)
    elif source.one:
        saying.one(source.joined(), output)
    else:
        saying.many(source, directory)
