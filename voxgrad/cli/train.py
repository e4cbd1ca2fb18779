"""`voxgrad finetune` and `voxgrad pretrain`: a dataset becomes a voice or a base."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.evaluate import card_or_none
from voxgrad.cli.shared_options import RANK, Session
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

if TYPE_CHECKING:
    from voxgrad.store import Artifact


def finetune(
    context: typer.Context,
    *,
    run: RunId = None,
    data: Annotated[str | None, typer.Option(metavar="REF", help="A dataset; default: the newest.")] = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="A base; default: the newest.")] = None,
    preset: Annotated[str, typer.Option(metavar="P", help="A preset's name, or a YAML file.")] = "fast",
    name: Annotated[str | None, typer.Option(help="Name of the voice; default: the dataset's.")] = None,
    speaker: Annotated[
        str | None, typer.Option(metavar="NAME", help="The speaker, if the dataset has several.")
    ] = None,
    overrides: Overrides = None,
    budget: Budget = None,
    resume: Resume = False,
    tensorboard: TensorBoard = None,
    no_card: Annotated[
        bool, typer.Option("--no-card", help="Make no page that compares base and voice.")
    ] = False,
) -> None:
    """Fine-tune a base to a speaker. Repeated after an interruption, it resumes from the last checkpoint."""
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.presets import load_preset
    from voxgrad.settings import Preset
    from voxgrad.steps.finetune import STEP
    from voxgrad.steps.finetune import finetune as step
    from voxgrad.store import Store
    from voxgrad.training.run import with_time_for_card

    session: Session = context.obj
    store = Store.open(session.home)
    record, how = begin_or_resume(
        context, store, STEP, run, options(context, budget, tensorboard), resume=resume
    )
    if record is not None:
        settings, called = Preset.model_validate(record.settings), record.name
        dataset, start = parent(store, record, "dataset"), parent(store, record, "base")
        (speaker,) = record.options["speakers"]
    else:
        changed = _of_training([] if overrides is None else overrides)
        settings = load_preset(preset, changed)
        dataset, start = store.find(data, "dataset"), store.find(base, "base")
        called = dataset.name if name is None else name
    if not no_card:
        how = with_time_for_card(how)
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
        page = None if no_card or RANK else card_or_none(store, voice, renderer.emit, how.end)
    shown = "" if page is None else f"\n  card: {page}"
    answer(session, {**described(voice), "card": page}, f"{summary(voice)}{shown}")


def _of_training(overrides: list[str]) -> list[str]:
    if any(override.partition("=")[0].partition(".")[0] == "model" for override in overrides):
        raise BadInputError(
            "a voice keeps the model of its base", "Leave out --set model, or pretrain a base."
        )
    return overrides


def pretrain(
    context: typer.Context,
    *,
    run: RunId = None,
    data: Annotated[str | None, typer.Option(metavar="REF", help="A dataset; default: the newest.")] = None,
    preset: Annotated[str, typer.Option(metavar="P", help="A preset's name, or a YAML file.")] = "base-small",
    name: Annotated[str | None, typer.Option(help="Name of the base; default: the dataset's.")] = None,
    overrides: Overrides = None,
    budget: Budget = None,
    resume: Resume = False,
    tensorboard: TensorBoard = None,
) -> None:
    """Train a base from scratch. Repeated after an interruption, it resumes from the last checkpoint."""
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.presets import load_preset
    from voxgrad.settings import Preset
    from voxgrad.steps.pretrain import STEP
    from voxgrad.steps.pretrain import pretrain as step
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    record, how = begin_or_resume(
        context, store, STEP, run, options(context, budget, tensorboard), resume=resume
    )
    if record is not None:
        settings, called = Preset.model_validate(record.settings), record.name
        dataset = parent(store, record, "dataset")
    else:
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
    from voxgrad.cli.terminal import duration

    metrics = trained.manifest.metrics
    parents = " and ".join(parent.ref for parent in trained.manifest.parents.values())
    held_out = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in metrics["held_out"].items())
    work = f"{metrics['steps']} steps in {duration(metrics['seconds'])}"
    return (
        f"{trained.kind} {trained.ref} from {parents}: {work}\n"
        f"  on {judged_on(trained)}: {held_out}\n"
        f"{comparison(trained)}"
        f"  pictures: {trained.directory / 'curves.png'}\n"
        f"            {trained.directory / 'alignment.png'}"
    )


def judged_on(trained: "Artifact") -> str:
    """What the figures of a run were measured on."""
    held_out = trained.manifest.metrics.get("held_out_clips", 1)
    return "held-out clips" if held_out else "what it learnt from (nothing could be held out)"


def comparison(trained: "Artifact") -> str:
    """A line on what training changed where it began from something; else nothing."""
    metrics = trained.manifest.metrics
    if "before" not in metrics:
        return ""
    judge = metrics["judged_by"]
    before, after = metrics["before"][judge], metrics["held_out"][judge]
    verdict = "fine-tuning helped" if after < before else "fine-tuning did not help"
    return f"  {verdict}: {judge.replace('_', ' ')} was {before:.3f}, is {after:.3f}\n"
