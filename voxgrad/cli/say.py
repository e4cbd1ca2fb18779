"""`voxgrad say`: a text becomes speech."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.session import Session

if TYPE_CHECKING:
    from voxgrad.store import Artifact, Store

_SPEAKERS = ("voice", "base")


def say(
    context: typer.Context,
    *,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Written English.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .wav, .flac or .ogg; default: VOICE-vN.wav."),
    ] = None,
    voice: Annotated[
        str | None, typer.Option(metavar="REF", help="A voice or base; default: the newest voice, else base.")
    ] = None,
    vocoder: Annotated[
        str | None,
        typer.Option(metavar="REF", help="A vocoder, or griffinlim; default: the newest that fits."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of the diffusion: more is finer; default: 6.")
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Few steps: sooner there.")] = False,
    best: Annotated[bool, typer.Option("--best", help="Many steps: finer.")] = False,
    max_rtf: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="X", help="As many steps as X of real time allow on this machine."),
    ] = None,
    sampler: Annotated[str, typer.Option(help="dpmpp, ddim, euler, sde or ml.")] = "dpmpp",
    start: Annotated[str, typer.Option(help="Where the noise is centred: mu or zero.")] = "mu",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    temperature: Annotated[
        float, typer.Option(min=0, max=2, metavar="X", help="Of the noise: more is livelier.")
    ] = 0.667,
    speed: Annotated[float, typer.Option(min=0.2, max=5, metavar="X", help="Above 1 is faster.")] = 1.0,
    lexicon: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pronunciations: lines of `word  PHONES`.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse words that no dictionary has.")] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, metavar="N", help="Another seed, another reading.")
    ] = 0,
) -> None:
    """Speak a text."""
    from voxgrad.audio.io import check_writable, copy_audio
    from voxgrad.cli.effort import chosen_steps
    from voxgrad.cli.render import Renderer, answer
    from voxgrad.presets import validated
    from voxgrad.specs import SynthesisSpec
    from voxgrad.steps.pace import pace
    from voxgrad.steps.say import SOUND
    from voxgrad.steps.say import say as step
    from voxgrad.store import Store
    from voxgrad.vocoder.resolve import choose, mel_of

    session: Session = context.obj
    store = Store.open(session.home)
    if output is not None:
        check_writable(output)
    speaker = _speaker(store, voice)
    asked = {
        **chosen_steps(steps, draft=draft, best=best, max_rtf=max_rtf),
        "sampler": sampler,
        "start": start,
        "precision": precision,
        "temperature": temperature,
        "speed": speed,
    }
    settings = validated(SynthesisSpec, asked, "say")  # "nan" passes through the options' limits
    with Renderer(session) as renderer:
        sounds = choose(store, vocoder, mel_of(speaker), renderer.emit)
        if max_rtf is not None:
            settings = pace(speaker, sounds, settings, max_rtf, renderer.emit)
        speech = step(
            store,
            text,
            speaker,
            sounds,
            name=speaker.name,
            settings=settings,
            lexicon=lexicon,
            strict=strict,
            seed=seed,
            emit=renderer.emit,
        )
    target = Path(f"{speech.name}-v{speech.version}.wav") if output is None else output
    copy_audio(speech.path(SOUND), target)
    seconds = speech.manifest.metrics["seconds"]
    parents = " and ".join(parent.ref for parent in speech.manifest.parents.values())
    answer(
        session,
        {
            "speech": speech.ref,
            "file": str(target),
            "seconds": seconds,
            "seed": seed,
            "parents": {role: parent.ref for role, parent in speech.manifest.parents.items()},
            "directory": str(speech.directory),
        },
        f"{target}: {seconds:.2f} s by {parents}, seed {seed}",
    )


def _speaker(store: "Store", ref: str | None) -> "Artifact":
    """The voice or base that was named; else the newest voice, and a base only where there is none."""
    from voxgrad.errors import BadInputError
    from voxgrad.store.names import Reference

    preferred = "voice" if store.list("voice") else "base"
    if ref is None:
        return store.find(None, preferred)
    named = Reference.parse(ref)
    kind = named.kind
    if kind is None and named.digest is None:
        # A voice is called like its dataset unless told otherwise, and so is its speech.
        kinds = {one.kind for one in store.scan() if one.name == named.name}
        kind = next((one for one in _SPEAKERS if one in kinds), min(kinds, default=preferred))
    found = store.find(ref, kind)
    if found.kind not in _SPEAKERS:
        raise BadInputError(f"{ref} is a {found.kind} and cannot speak", "Name a voice or a base.")
    return found
