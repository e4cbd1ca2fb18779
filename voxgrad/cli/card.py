"""`voxgrad card`: what fine-tuning changed, on one page."""

from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.session import Session

if TYPE_CHECKING:
    from voxgrad.events import Emit
    from voxgrad.store import Artifact, Store


def card(
    context: typer.Context,
    voice: Annotated[str | None, typer.Argument(metavar="REF", help="A voice; default: the newest.")] = None,
) -> None:
    """Compare a voice with its base on one page; what was made before is found."""
    from voxgrad.cli.render import Renderer, answer
    from voxgrad.store import Store

    session: Session = context.obj
    store = Store.open(session.home)
    with Renderer(session) as renderer:
        made = _made(store, store.find(voice, "voice"), renderer.emit)
    metrics = made.manifest.metrics
    page = str(made.directory / "card.html")
    answer(
        session, {"card": made.ref, "page": page, "metrics": metrics}, f"{metrics['verdict']}\n  card: {page}"
    )


def card_or_none(store: "Store", voice: "Artifact", emit: "Emit") -> str | None:
    """The page of a voice that is safe already; a failure of it, or Ctrl-C, is only told of."""
    from voxgrad.errors import VoxgradError
    from voxgrad.events import Said

    again = f"make it with: voxgrad card {voice.ref}"
    try:
        return str(_made(store, voice, emit).directory / "card.html")
    except VoxgradError as error:
        emit(Said(f"no card: {error.message}; {again}", "warning"))
    except KeyboardInterrupt:
        emit(Said(f"no card: interrupted; {again}", "warning"))
    return None


def _made(store: "Store", voice: "Artifact", emit: "Emit") -> "Artifact":
    from voxgrad.steps.card import card as step
    from voxgrad.vocoder.selection import choose_vocoder, mel_of

    base = store.find(f"@sha256:{voice.parent('base').digest}")
    dataset = store.find(f"@sha256:{voice.parent('dataset').digest}", "dataset")
    return step(store, voice, base, dataset, choose_vocoder(store, None, mel_of(voice), emit), emit)
