"""`voxgrad info`: what a sound file says of itself."""

from pathlib import Path
from typing import Annotated

import typer

from voxgrad.cli.session import Session


def info(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sound file that `say` wrote.")],
) -> None:
    """Show how a sound was made."""
    from rich.console import Group

    from voxgrad.audio.formats import open_audio
    from voxgrad.audio.writers import read_comment
    from voxgrad.cli.render import answer, section
    from voxgrad.cli.show import flattened
    from voxgrad.speech.provenance import read_recipe

    session: Session = context.obj
    recipe = read_recipe(read_comment(file), str(file))
    with open_audio(file) as sound:
        seconds, rate = sound.frames / sound.samplerate, sound.samplerate
    about = {"synthetic": "yes", "seconds": f"{seconds:.2f}", "rate": f"{rate} Hz"}
    known = {} if recipe is None else recipe.model_dump()
    answer(
        session,
        {"file": str(file), "synthetic": True, "seconds": round(seconds, 4), "recipe": known},
        Group(section(str(file), about), section("made from", _shown(flattened(known)))),
    )


def _shown(rows: dict[str, str]) -> dict[str, str]:
    """Without what is not there, and with the beginning of a long text."""
    return {
        name: f"{value[:400]}…" if len(value) > 400 else value
        for name, value in rows.items()
        if value != "None"
    }
