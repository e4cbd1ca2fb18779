"""`voxgrad vocoder train` and `voxgrad vocode`: a vocoder is trained, and a recording goes through one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.shared_options import Command, Session, takes
from voxgrad.cli.train import PresetName, RunId, begin_or_resume, comparison, described, judged_on
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.settings import TrainingOptions

vocoder = typer.Typer(
    name="vocoder",
    help="Train a vocoder.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@vocoder.command("train", cls=Command)
@takes(training="voxgrad.settings.TrainingOptions")
def train(
    context: typer.Context,
    *,
    run: RunId = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="REF", help="Vocoder to start from (default: from scratch).")
    ] = None,
    preset: PresetName = "vocoder",
    half: Annotated[bool, typer.Option("--half", help="Store the weights in half precision.")] = False,
    training: "TrainingOptions",
) -> None:
    """Train a vocoder. After an interruption, the same command resumes from the last checkpoint."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer, answer, duration
    from voxgrad.settings import VocoderPreset
    from voxgrad.steps.train_vocoder import STEP
    from voxgrad.steps.train_vocoder import train_vocoder as step

    begun = begin_or_resume(context, STEP, run, training, VocoderPreset, preset)
    record = begun.record
    begins = start is not None if record is None else "start" in record.parents
    with Renderer(session) as renderer:
        made = step(
            begun.store,
            begun.dataset,
            begun.parent("start", start, "vocoder") if begins else None,
            name=begun.name,
            preset=begun.settings,
            half=half if record is None else record.options["half_precision"],
            emit=renderer.emit,
            options=begun.how,
        )
    metrics = made.manifest.metrics
    held_out = ", ".join(f"{key} distance {value:.3f}" for key, value in metrics["held_out"].items())
    parents = " and ".join(parent.ref for parent in made.manifest.parents.values())
    answer(
        session,
        described(made),
        f"vocoder {made.ref} from {parents}: {metrics['steps']} steps in {duration(metrics['seconds'])}\n"
        f"  copies of {judged_on(made)}: {held_out}\n"
        f"{comparison(made)}"
        f"  picture: {made.directory / 'curves.png'}",
    )


def vocode(
    context: typer.Context,
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
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.settings import MelSpec
    from voxgrad.steps.vocode import vocode as step
    from voxgrad.store import Store
    from voxgrad.vocoder.choice import GRIFFIN_LIM, choose_vocoder

    session: Session = context.obj
    target = Path(f"{source.stem}-vocoded.wav") if output is None else output
    check_writable(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise BadInputError(f"{target} is the input file", "Name another file with -o.")
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
