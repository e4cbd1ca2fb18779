"""`voxgrad say`: texts become speech."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError


class Format(Enum):
    """What sound files can be."""

    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    MP3 = "mp3"


def say(
    context: typer.Context,
    *,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="Written English; default: standard input, a line an utterance."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "-f",
            "--file",
            metavar="FILE",
            help="Say a text file, or JSON lines of text, voice, speed, seed, out.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="A .wav, .flac, .ogg or .mp3; - streams WAV to standard output.",
        ),
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("-d", "--directory", metavar="DIR", help="A sound file for every line.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="Of files that are not named.")] = Format.WAV,
    raw: Annotated[bool, typer.Option("--raw", help="Stream 16-bit samples without a header.")] = False,
    voice: Annotated[
        str | None, typer.Option(metavar="REF", help="A voice or base; default: the newest voice, else base.")
    ] = None,
    vocoder: Annotated[
        str | None,
        typer.Option(metavar="REF", help="A vocoder, or griffinlim; default: the newest that fits."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of the diffusion: more is finer; default: 6.")
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Few steps: sooner there.")] = False,
    best: Annotated[bool, typer.Option("--best", help="Many steps: finer.")] = False,
    max_rtf: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="X", help="As many steps as X of real time allow on this machine."),
    ] = None,
    compile_: Annotated[
        bool,
        typer.Option(
            "--compile", help="Let torch compile the network: minutes first, and slower where we measured it."
        ),
    ] = False,
    sampler: Annotated[str, typer.Option(help="unipc, dpmpp, ddim, euler, sde or ml.")] = "unipc",
    start: Annotated[str, typer.Option(help="Where the noise is centred: mu or zero.")] = "mu",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    temperature: Annotated[
        float, typer.Option(min=0, max=2, metavar="X", help="Of the noise: more is livelier.")
    ] = 0.667,
    speed: Annotated[float, typer.Option(min=0.2, max=5, metavar="X", help="Above 1 is faster.")] = 1.0,
    pitch: Annotated[float, typer.Option(min=-12, max=12, metavar="SEMITONES", help="Up or down.")] = 0.0,
    volume: Annotated[float, typer.Option(min=0.01, max=10, metavar="X", help="Above 1 is louder.")] = 1.0,
    sentence_silence: Annotated[
        float, typer.Option(min=0, max=10, metavar="SECONDS", help="Between sentences.")
    ] = 0.35,
    lexicon: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pronunciations: lines of `word  PHONES`.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse words that no dictionary has.")] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, metavar="N", help="Another seed, another reading.")
    ] = 0,
    timings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Words and phones: a .json, .TextGrid, .srt or .vtt, or just srt."),
    ] = None,
    no_metadata: Annotated[
        bool, typer.Option("--no-metadata", help="Leave nothing in the file but that it is synthetic.")
    ] = False,
) -> None:
    """Speak a text, a file, or the lines that come in."""
    from voxgrad.cli.say_input import chosen_steps, read_input
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
        **chosen_steps(steps, draft=draft, best=best, max_rtf=max_rtf),
        "sampler": sampler,
        "start": start,
        "precision": precision,
        "temperature": temperature,
        "speed": speed,
    }
    told = {"pitch": pitch, "volume": volume, "sentence_silence": sentence_silence}
    saying = SayRequest(
        session=session,
        voice=voice,
        vocoder=vocoder,
        lexicon=lexicon,
        strict=strict,
        synthesis=validated(SynthesisSpec, asked, "say"),
        max_rtf=max_rtf,
        compile=compile_,
        delivery=validated(DeliverySpec, told, "say"),
        seed=seed,
        timings=timings,
        metadata=not no_metadata,
        ending=format_.value,
    )
    source = read_input(text, file, one=output is not None or raw, lines=directory is not None)
    if raw or str(output) == "-":
        saying.stream(source, raw=raw)
    elif source.one:
        saying.one(source.whole(), output)
    else:
        saying.many(source, directory)
