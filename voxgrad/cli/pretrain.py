"""`voxgrad pretrain`: a dataset becomes a base."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from voxgrad.cli.session import Session

if TYPE_CHECKING:
    from voxgrad.store import Artifact


def pretrain(
    context: typer.Context,
    *,
    run: RunId = None,
    data: Annotated[str | None, typer.Option(metavar="REF", help="A dataset; default: the newest.")] = None,
    preset: Annotated[str, typer.Option(metavar="P", help="A preset's name, or a YAML file.")] = "base-small",
    name: Annotated[str | None, typer.Option(help="Of the base; default: the dataset's.")] = None,
    overrides: Overrides = None,
    budget: Budget = None,
    resume: Resume = False,
    tensorboard: TensorBoard = None,
) -> None:
    """Train a base from nothing. Begun again after a stop, it goes on from the last checkpoint."""
    from voxgrad.cli.render import Renderer, answer
    from voxgrad.presets import load_preset
    from voxgrad.settings import Preset
    from voxgrad.steps.pretrain import STEP
    from voxgrad.steps.pretrain import pretrain as step
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    how = options(budget, tensorboard)
    if resume:
        record = resumed(context, store, STEP, run)
        settings, called = Preset.model_validate(record.settings), record.name
        dataset, how = parent(store, record, "dataset"), replace(how, ask=record.ask)
    else:
        check_not_alone(run)
        settings, dataset = load_preset(preset, overrides or []), store.find(data, "dataset")
        called = dataset.name if name is None else name
    with Renderer(session) as renderer:
        base = step(store, dataset, name=called, preset=settings, emit=renderer.emit, options=how)
    answer(session, described(base), summary(base))


def described(trained: "Artifact") -> dict[str, Any]:
    """A base or a voice for --json."""
    return {
        trained.kind: trained.ref,
        "digest": trained.digest,
        "directory": str(trained.directory),
        "parents": {role: parent.ref for role, parent in trained.manifest.parents.items()},
        "metrics": trained.manifest.metrics,
    }


def summary(trained: "Artifact") -> str:
    """A base or a voice in a few lines."""
    from voxgrad.cli.render import duration

    metrics = trained.manifest.metrics
    parents = " and ".join(parent.ref for parent in trained.manifest.parents.values())
    held_out = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in metrics["held_out"].items())
    work = f"{metrics['steps']} steps in {duration(metrics['seconds'])}"
    return (
        f"{trained.kind} {trained.ref} from {parents}: {work}\n"
        f"  on held-out clips: {held_out}\n"
        f"{comparison(trained)}"
        f"  pictures: {trained.directory / 'curves.png'}\n"
        f"            {trained.directory / 'alignment.png'}"
    )


def comparison(trained: "Artifact") -> str:
    """A line on what training changed where it began from something; else nothing."""
    metrics = trained.manifest.metrics
    if "before" not in metrics:
        return ""
    judge = metrics["judged_by"]
    before, after = metrics["before"][judge], metrics["held_out"][judge]
    verdict = "fine-tuning helped" if after < before else "fine-tuning did not help"
    return f"  {verdict}: {judge.replace('_', ' ')} was {before:.3f}, is {after:.3f}\n"
