"""`voxgrad info`, `replay` and `vocode`: how an audio file was made, making it once more, and what a vocoder loses."""

from pathlib import Path
from typing import Annotated

import typer

from voxgrad.cli.shared_options import Session, command
from voxgrad.errors import BadInputError

MadeFile = Annotated[Path, typer.Argument(metavar="FILE", help="An audio file that `say` or `convert` wrote.")]


@command()
def replay(
    session: Session,
    *,
    file: MadeFile,
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
    from voxgrad.steps.replay import replay as step
    from voxgrad.voice.metadata import read_recipe

    recipe = read_recipe(read_comment(file), str(file))
    if recipe is None:
        raise BadInputError(
            f"{file} does not say how it was made", "Files written with --no-metadata cannot be replayed."
        )
    target = _other_file(file, f"{file.stem}-replay.wav", output)
    check_writable_audio(target)
    with session.progress() as progress:
        again = step(session.store, file, recipe, target, lexicon=lexicon, recording=recording, emit=progress.emit)
    outcome = {
        True: "the same samples",
        False: "NOT the same samples",
        None: "not compared, because the format is lossy",
    }
    session.answer(
        {"file": str(target), "seconds": round(again.seconds, 4), "identical": again.identical},
        f"{target}: {again.seconds:.2f} s, {outcome[again.identical]}",
    )


def _other_file(source: Path, default: str, output: Path | None) -> Path:
    target = Path(default) if output is None else output
    if target.exists() and source.exists() and target.samefile(source):
        raise BadInputError(f"{target} is the input file", "Name another file with -o.")
    return target


@command()
def info(session: Session, file: MadeFile) -> None:
    """Show the metadata of an audio file: voice, settings and text."""
    from rich.console import Group

    from voxgrad.audio.codecs import read_tags
    from voxgrad.audio.io import open_audio
    from voxgrad.audio.writers import read_comment
    from voxgrad.cli.store import flattened
    from voxgrad.cli.terminal import section
    from voxgrad.voice.metadata import read_recipe

    recipe = read_recipe(read_comment(file), str(file))
    about = {"synthetic": "yes"}
    if file.suffix.lower() in {".m4b", ".m4a", ".opus"}:
        seconds = read_tags(file)[1]
        about["seconds"] = f"{seconds:.2f}"
    else:
        with open_audio(file) as audio:
            seconds = audio.frames / audio.samplerate
            about |= {"seconds": f"{seconds:.2f}", "rate": f"{audio.samplerate} Hz"}
    known = {} if recipe is None else recipe.model_dump()
    rows = {
        name: f"{value[:400]}…" if len(value) > 400 else value
        for name, value in flattened(known).items()
        if value != "None"
    }
    session.answer(
        {"file": str(file), "synthetic": True, "seconds": round(seconds, 4), "recipe": known},
        Group(section(str(file), about), section("made from", rows)),
    )


@command()
def vocode(
    session: Session,
    *,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file, or a log-mel: .npy or .safetensors.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .wav, .flac or .ogg (default: FILE-vocoded.wav)."),
    ] = None,
    vocoder: Annotated[
        str | None, typer.Option(metavar="REF", help="Vocoder, or griffinlim (default: as for say).")
    ] = None,
) -> None:
    """Resynthesise a recording, to hear what a vocoder loses."""
    from voxgrad.audio.io import check_writable, write_audio
    from voxgrad.settings import MelSpec
    from voxgrad.steps.vocoder import vocode as step
    from voxgrad.vocoder.choice import GRIFFIN_LIM, choose_vocoder

    target = _other_file(source, f"{source.stem}-vocoded.wav", output)
    check_writable(target)
    with session.progress() as progress:
        chosen = choose_vocoder(session.store, vocoder, MelSpec(), progress.emit)
        copy = step(source, chosen, progress.emit)
    write_audio(target, copy.waveform)
    called = GRIFFIN_LIM if chosen is None else chosen.ref
    figures = {
        "seconds": copy.waveform.seconds,
        "mel_l1": copy.mel_l1,
        "real_time_factor": copy.real_time_factor,
    }
    session.answer(
        {"file": str(target), "vocoder": called, **{name: round(value, 4) for name, value in figures.items()}},
        f"{target}: {copy.waveform.seconds:.2f} s by {called}, "
        f"mel L1 {copy.mel_l1:.3f}, real-time factor {copy.real_time_factor:.3f}",
    )
