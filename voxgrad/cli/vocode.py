"""`voxgrad vocode`: a recording goes through a vocoder."""

from pathlib import Path
from typing import Annotated

import typer

from voxgrad.cli.session import Session
from voxgrad.errors import BadInputError


def vocode(
    context: typer.Context,
    *,
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A sound file, or a log-mel: .npy or .safetensors.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="A .wav, .flac or .ogg; default: FILE-vocoded.wav."
        ),
    ] = None,
    vocoder: Annotated[
        str | None, typer.Option(metavar="REF", help="A vocoder, or griffinlim; default: as for say.")
    ] = None,
) -> None:
    """Copy a recording through a vocoder, to judge it."""
    from voxgrad.audio.io import check_writable, write_audio
    from voxgrad.cli.render import Renderer, answer
    from voxgrad.settings import MelSpec
    from voxgrad.steps.vocode import vocode as step
    from voxgrad.store import Store
    from voxgrad.vocoder.selection import GRIFFIN_LIM, choose_vocoder

    session: Session = context.obj
    target = Path(f"{source.stem}-vocoded.wav") if output is None else output
    check_writable(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise BadInputError(f"{target} is the recording itself", "Name another file with -o.")
    with Renderer(session) as renderer:
        chosen = choose_vocoder(Store.open(session.home), vocoder, MelSpec(), renderer.emit)
        copy = step(source, chosen, renderer.emit)
    write_audio(target, copy.waveform)
    called = GRIFFIN_LIM if chosen is None else chosen.ref
    answer(
        session,
        {
            "file": str(target),
            "vocoder": called,
            "seconds": round(copy.waveform.seconds, 4),
            "mel_l1": round(copy.mel_l1, 4),
            "real_time_factor": round(copy.real_time_factor, 4),
        },
        f"{target}: {copy.waveform.seconds:.2f} s by {called}, "
        f"mel L1 {copy.mel_l1:.3f}, real-time factor {copy.real_time_factor:.3f}",
    )
