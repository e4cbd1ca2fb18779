"""`voxgrad finetune`: a dataset and a base become a voice."""

from typing import Annotated

import typer

from voxgrad.cli.pretrain import Overrides, described, summary
from voxgrad.cli.session import Session


def finetune(
    context: typer.Context,
    *,
    data: Annotated[str | None, typer.Option(metavar="REF", help="A dataset; default: the newest.")] = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="A base; default: the newest.")] = None,
    preset: Annotated[str, typer.Option(metavar="P", help="A preset's name, or a YAML file.")] = "fast",
    name: Annotated[str | None, typer.Option(help="Of the voice; default: the dataset's.")] = None,
    speaker: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose clips, where the dataset has several speakers.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Adapt a base to a speaker. Begun again after a stop, it goes on from the last checkpoint."""
    from voxgrad.cli.render import Renderer, answer
    from voxgrad.errors import BadInputError
    from voxgrad.presets import load_preset
    from voxgrad.steps.finetune import finetune as step
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    changed = [] if overrides is None else overrides
    if any(override.partition("=")[0].partition(".")[0] == "model" for override in changed):
        raise BadInputError(
            "a voice keeps the model of its base", "Leave out --set model, or pretrain a base."
        )
    settings = load_preset(preset, changed)
    dataset = store.find(data, "dataset")
    start = store.find(base, "base")
    called = dataset.name if name is None else name
    with Renderer(session) as renderer:
        voice = step(store, dataset, start, name=called, speaker=speaker, preset=settings, emit=renderer.emit)
    answer(session, described(voice), summary(voice))
