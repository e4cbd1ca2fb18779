"""`voxgrad vocoder train` and `voxgrad vocode`: a vocoder is trained, and a recording goes through one."""

from pathlib import Path
from typing import Annotated

import typer

from voxgrad.cli.shared_options import Command, Session
from voxgrad.cli.train import comparison, described, judged_on
from voxgrad.cli.training_runs import (
    Budget,
    Overrides,
    Resume,
    RunId,
    TensorBoard,
    begin_or_resume,
    options,
    parent,
)
from voxgrad.errors import BadInputError

vocoder = typer.Typer(
    name="vocoder",
    help="Train a vocoder.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@vocoder.command("train", cls=Command)
def train(
    context: typer.Context,
    *,
    run: RunId = None,
    data: Annotated[str | None, typer.Option(metavar="REF", help="A dataset; default: the newest.")] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="REF", help="Start from this vocoder; default: from scratch."),
    ] = None,
    preset: Annotated[str, typer.Option(metavar="P", help="A preset's name, or a YAML file.")] = "vocoder",
    name: Annotated[str | None, typer.Option(help="Name of the vocoder; default: the dataset's.")] = None,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in half precision.")] = False,
    overrides: Overrides = None,
    budget: Budget = None,
    resume: Resume = False,
    tensorboard: TensorBoard = None,
) -> None:
    """Train a vocoder. Repeated after an interruption, it resumes from the last checkpoint."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer, answer, duration
    from voxgrad.presets import load_vocoder_preset
    from voxgrad.settings import VocoderPreset
    from voxgrad.steps.train_vocoder import STEP
    from voxgrad.steps.train_vocoder import train_vocoder as step
    from voxgrad.store import Store

    store = Store.open(session.home)
    record, how = begin_or_resume(
        context, store, STEP, run, options(context, budget, tensorboard), resume=resume
    )
    if record is not None:
        settings, called = VocoderPreset.model_validate(record.settings), record.name
        dataset = parent(store, record, "dataset")
        before = parent(store, record, "start") if "start" in record.parents else None
        half = record.options["half_precision"]
    else:
        settings, dataset = load_vocoder_preset(preset, overrides or []), store.find(data, "dataset")
        before = None if start is None else store.find(start, "vocoder")
        called = dataset.name if name is None else name
    with Renderer(session) as renderer:
        made = step(
            store,
            dataset,
            before,
            name=called,
            preset=settings,
            half=half,
            emit=renderer.emit,
            options=how,
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
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="An audio file, or a log-mel: .npy or .safetensors.")
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
    """Pass a recording through a vocoder, to judge the vocoder."""
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
