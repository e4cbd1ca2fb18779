"""`voxgrad info` and `voxgrad replay`: how an audio file was made, and making it once more."""

from pathlib import Path
from typing import Annotated

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError


def replay(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file that `say` or `convert` wrote.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .wav, .flac, .ogg or .mp3 (default: FILE-replay.wav)."),
    ] = None,
    lexicon: Annotated[Path | None, typer.Option(metavar="FILE", help="Lexicon that `say` used.")] = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Recording that `convert` used (default: searched beside FILE and in the working directory).",
        ),
    ] = None,
) -> None:
    """Reproduce an audio file from its metadata."""
    from voxgrad.audio.writers import check_writable_audio, read_comment
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.steps.replay import replay as step
    from voxgrad.store import Store
    from voxgrad.voice.metadata import read_recipe

    session: Session = context.obj
    recipe = read_recipe(read_comment(file), str(file))
    if recipe is None:
        raise BadInputError(
            f"{file} does not say how it was made", "Files written with --no-metadata cannot be replayed."
        )
    target = Path(f"{file.stem}-replay.wav") if output is None else output
    if target.exists() and target.samefile(file):
        raise BadInputError(f"{target} is the input file", "Name another file with -o.")
    check_writable_audio(target)
    with Renderer(session) as renderer:
        store = Store.open(session.home)
        again = step(store, file, recipe, target, lexicon=lexicon, recording=recording, emit=renderer.emit)
    outcome = {
        True: "the same samples",
        False: "NOT the same samples",
        None: "not compared, because the format is lossy",
    }
    answer(
        session,
        {"file": str(target), "seconds": round(again.seconds, 4), "identical": again.identical},
        f"{target}: {again.seconds:.2f} s, {outcome[again.identical]}",
    )


def info(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file that `say` or `convert` wrote.")],
) -> None:
    """Show the metadata of an audio file: voice, settings and text."""
    from rich.console import Group

    from voxgrad.audio.codecs import read_tags
    from voxgrad.audio.io import open_audio
    from voxgrad.audio.writers import read_comment
    from voxgrad.cli.listing import flattened
    from voxgrad.cli.terminal import answer, section
    from voxgrad.voice.metadata import read_recipe

    session: Session = context.obj
    recipe = read_recipe(read_comment(file), str(file))
    if file.suffix.lower() in {".m4b", ".m4a", ".opus"}:
        seconds = read_tags(file)[1]
        about = {"synthetic": "yes", "seconds": f"{seconds:.2f}"}
    else:
        with open_audio(file) as audio:
            seconds, rate = audio.frames / audio.samplerate, audio.samplerate
        about = {"synthetic": "yes", "seconds": f"{seconds:.2f}", "rate": f"{rate} Hz"}
    known = {} if recipe is None else recipe.model_dump()
    answer(
        session,
        {"file": str(file), "synthetic": True, "seconds": round(seconds, 4), "recipe": known},
        Group(section(str(file), about), section("made from", _shown(flattened(known)))),
    )


def _shown(rows: dict[str, str]) -> dict[str, str]:
    """Without what is not there, and with the beginning of a long text."""
    return {name: f"{value[:400]}…" if len(value) > 400 else value for name, value in rows.items() if value != "None"}
