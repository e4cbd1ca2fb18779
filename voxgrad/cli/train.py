"""`voxgrad finetune` and `voxgrad pretrain`: a dataset becomes a voice or a base."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgrad.cli.evaluate import card_or_none
from voxgrad.cli.shared_options import RANK, Session, takes
from voxgrad.cli.training_runs import PresetName, RunId, begin_or_resume
from voxgrad.errors import BadInputError

if TYPE_CHECKING:
    from voxgrad.settings import TrainingOptions
    from voxgrad.store import Artifact


@takes(training="voxgrad.settings.TrainingOptions")
def finetune(
    context: typer.Context,
    *,
    run: RunId = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="A base; default: the newest.")] = None,
    preset: PresetName = "fast",
    speaker: Annotated[
        str | None, typer.Option(metavar="NAME", help="The speaker, if the dataset has several.")
    ] = None,
    training: "TrainingOptions",
    no_card: Annotated[
        bool, typer.Option("--no-card", help="Make no page that compares base and voice.")
    ] = False,
) -> None:
    """Fine-tune a base to a speaker. Repeated after an interruption, it resumes from the last checkpoint."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.settings import Preset
    from voxgrad.steps.finetune import STEP
    from voxgrad.steps.finetune import finetune as step
    from voxgrad.training.run import with_time_for_card

    _keeps_the_model(training.overrides)
    begun = begin_or_resume(context, STEP, run, training, Preset, preset)
    start = begun.parent("base", base, "base")
    if begun.record is not None:
        (speaker,) = begun.record.options["speakers"]
    how = begun.how if no_card else with_time_for_card(begun.how)
    with Renderer(session) as renderer:
        voice = step(
            begun.store,
            begun.dataset,
            start,
            name=begun.name,
            speaker=speaker,
            preset=begun.settings,
            emit=renderer.emit,
            options=how,
        )
        page = None if no_card or RANK else card_or_none(begun.store, voice, renderer.emit, how.end)
    shown = "" if page is None else f"\n  card: {page}"
    answer(session, {**described(voice), "card": page}, f"{summary(voice)}{shown}")


def _keeps_the_model(overrides: Sequence[str]) -> None:
    if any(override.partition("=")[0].partition(".")[0] == "model" for override in overrides):
        raise BadInputError(
            "a voice keeps the model of its base", "Leave out --set model, or pretrain a base."
        )


@takes(training="voxgrad.settings.TrainingOptions")
def pretrain(
    context: typer.Context,
    *,
    run: RunId = None,
    preset: PresetName = "base-small",
    training: "TrainingOptions",
) -> None:
    """Train a base from scratch. Repeated after an interruption, it resumes from the last checkpoint."""
    session: Session = context.obj
    session.loading()
    from voxgrad.cli.terminal import Renderer, answer
    from voxgrad.settings import Preset
    from voxgrad.steps.pretrain import STEP
    from voxgrad.steps.pretrain import pretrain as step

    begun = begin_or_resume(context, STEP, run, training, Preset, preset)
    with Renderer(session) as renderer:
        base = step(
            begun.store,
            begun.dataset,
            name=begun.name,
            preset=begun.settings,
            emit=renderer.emit,
            options=begun.how,
        )
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
