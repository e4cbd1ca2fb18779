"""`voxgrad finetune`: a dataset and a base become a voice."""

from dataclasses import replace
from typing import Annotated

import typer

from voxgrad.cli.card import card_or_none
from voxgrad.cli.pretrain import described, summary
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
from voxgrad.cli.session import RANK, Session
from voxgrad.errors import BadInputError


def finetune(
    context: typer.Context,
    *,
    run: RunId = None,
    data: Annotated[str | None, typer.Option(metavar="REF", help="A dataset; default: the newest.")] = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="A base; default: the newest.")] = None,
    preset: Annotated[str, typer.Option(metavar="P", help="A preset's name, or a YAML file.")] = "fast",
    name: Annotated[str | None, typer.Option(help="Of the voice; default: the dataset's.")] = None,
    speaker: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose clips, where the dataset has several speakers.")
    ] = None,
    overrides: Overrides = None,
    budget: Budget = None,
    resume: Resume = False,
    tensorboard: TensorBoard = None,
    no_card: Annotated[bool, typer.Option("--no-card", help="Make no card of base and voice.")] = False,
) -> None:
    """Adapt a base to a speaker. Begun again after a stop, it goes on from the last checkpoint."""
    from voxgrad.cli.render import Renderer, answer
    from voxgrad.presets import load_preset
    from voxgrad.settings import Preset
    from voxgrad.steps.finetune import STEP
    from voxgrad.steps.finetune import finetune as step
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    how = options(budget, tensorboard)
    if resume:
        record = resumed(context, store, STEP, run)
        settings, called = Preset.model_validate(record.settings), record.name
        dataset, start = parent(store, record, "dataset"), parent(store, record, "base")
        (speaker,), how = record.options["speakers"], replace(how, ask=record.ask)
    else:
        check_not_alone(run)
        changed = _of_training([] if overrides is None else overrides)
        settings = load_preset(preset, changed)
        dataset, start = store.find(data, "dataset"), store.find(base, "base")
        called = dataset.name if name is None else name
    with Renderer(session) as renderer:
        voice = step(
            store,
            dataset,
            start,
            name=called,
            speaker=speaker,
            preset=settings,
            emit=renderer.emit,
            options=how,
        )
        page = None if no_card or RANK else card_or_none(store, voice, renderer.emit)
    shown = "" if page is None else f"\n  card: {page}"
    answer(session, {**described(voice), "card": page}, f"{summary(voice)}{shown}")


def _of_training(overrides: list[str]) -> list[str]:
    if any(override.partition("=")[0].partition(".")[0] == "model" for override in overrides):
        raise BadInputError(
            "a voice keeps the model of its base", "Leave out --set model, or pretrain a base."
        )
    return overrides
