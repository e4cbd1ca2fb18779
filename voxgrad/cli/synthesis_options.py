"""Options that commands which synthesise share: `say`, `convert` and `evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

Voice = Annotated[
    str | None, typer.Option(metavar="REF", help="A voice or base; default: the newest voice, else base.")
]
Vocoder = Annotated[
    str | None, typer.Option(metavar="REF", help="A vocoder, or griffinlim; default: the newest that fits.")
]
Speaker = Annotated[
    str | None, typer.Option(metavar="NAME", help="A speaker of a base, such as kathleen; default: its own.")
]
Steps = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Diffusion steps; default: 2, of U-Nets 6.")
]
Draft = Annotated[bool, typer.Option("--draft", help="Few steps: fast, lower quality.")]
Best = Annotated[bool, typer.Option("--best", help="Many steps: slow, best quality.")]
Temperature = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=2,
        metavar="X",
        help="Standard deviation of the initial noise: more is livelier; default: the voice's own.",
    ),
]
Pronunciations = Annotated[
    Path | None, typer.Option("--lexicon", metavar="FILE", help="A lexicon: lines of `word  PHONES`.")
]
Timings = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write times of words and phones: a .json, .TextGrid, .srt or .vtt, or just srt."
    ),
]
NoMetadata = Annotated[
    bool, typer.Option("--no-metadata", help="Write no metadata, except that the audio is synthetic.")
]
