"""`voxgrad vocoder train`: a dataset becomes a vocoder."""

from dataclasses import replace
from typing import Annotated

import typer

from voxgrad.cli.pretrain import comparison, described
from voxgrad.cli.runs import (
    Budget,
    Overrides,
    Resume,
    RunId,
    TensorBoard,
    check_not_alone,
    options,
    parent,
    resumed,
)
from voxgrad.cli.session import Command, Session

vocoder = typer.Typer(
    name="vocoder",
    help="Make a vocoder.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
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
        typer.Option("--from", metavar="REF", help="Go on from this vocoder; default: from nothing."),
    ] = None,
    preset: Annotated[str, typer.Option(metavar="P", help="A preset's name, or a YAML file.")] = "vocoder",
    name: Annotated[str | None, typer.Option(help="Of the vocoder; default: the dataset's.")] = None,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in half precision.")] = False,
    overrides: Overrides = None,
    budget: Budget = None,
    resume: Resume = False,
    tensorboard: TensorBoard = None,
) -> None:
    """Train a vocoder. Begun again after a stop, it goes on from the last checkpoint."""
    from voxgrad.cli.render import Renderer, answer, duration
    from voxgrad.presets import load_vocoder_preset
    from voxgrad.settings import VocoderPreset
    from voxgrad.steps.train_vocoder import STEP
    from voxgrad.steps.train_vocoder import train_vocoder as step
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    how = options(budget, tensorboard)
    if resume:
        record = resumed(context, store, STEP, run)
        settings, called = VocoderPreset.model_validate(record.settings), record.name
        dataset = parent(store, record, "dataset")
        before = parent(store, record, "start") if "start" in record.parents else None
        half, how = record.options["half_precision"], replace(how, ask=record.ask)
    else:
        check_not_alone(run)
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
        f"  copies of held-out clips: {held_out}\n"
        f"{comparison(made)}"
        f"  picture: {made.directory / 'curves.png'}",
    )
