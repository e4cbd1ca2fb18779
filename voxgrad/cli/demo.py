"""`voxgrad demo`: all steps, on the user's recordings or on synthetic ones."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.shared_options import Session, command
from voxgrad.cli.terminal import shown_path, use_of
from voxgrad.events import Emit

if TYPE_CHECKING:
    from voxgrad.store import Artifact, Store

SENTENCE = "This voice was made on this machine."
_RECORDINGS = 16
_PITCH, _FORMANTS = 0.62, 0.87
_SYNTHETIC = "the demonstration made the voice itself"
_ON_THIS_MACHINE = "a demonstration, by whoever gave it the recordings, on their own machine"


@command()
def demo(
    session: Session,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Recordings to clone (default: synthetic ones).")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for audio files and the store.")
    ] = Path("demo"),
) -> None:
    """Run all steps: prepare recordings, clone a voice, speak."""
    from voxgrad.audio.io import copy_audio
    from voxgrad.cli.train import card_or_none
    from voxgrad.store import Store

    output.mkdir(parents=True, exist_ok=True)
    store = Store.open(output / "store" if session.home is None else session.home)
    with session.progress() as progress:
        base = store.find(None, "base")
        recordings = _target(store, base, output, progress.emit) if folder is None else folder
        consent = _SYNTHETIC if folder is None else _ON_THIS_MACHINE
        voice = _clone(store, recordings, progress.emit, consent)
        for speaker, name in ((base, "base.wav"), (voice, "voice.wav")):
            copy_audio(_say(store, speaker, SENTENCE, progress.emit), output / name)
        card = card_or_none(store, voice, progress.emit)
        page = None if card is None else card.directory / "card.html"
    replace(session, home=store.home).answer(
        {
            "base": base.ref,
            "voice": voice.ref,
            "files": ["base.wav", "voice.wav"],
            "card": None if page is None else str(page),
        },
        f"{output / 'base.wav'}: {SENTENCE!r} by base {base.ref}\n"
        f"{output / 'voice.wav'}: the same by its clone {voice.ref}\n"
        f"  pictures: {shown_path(voice.directory / 'curves.svg')} and alignment.svg beside it"
        + ("" if page is None else f"\n  both side by side: {shown_path(page)}"),
        use_of(voice),
    )


def _say(store: "Store", voice: "Artifact", text: str, emit: "Emit", seed: int = 0, name: str | None = None) -> Path:
    from voxgrad.steps.say import AUDIO, say
    from voxgrad.voice.cast import Cast
    from voxgrad.voice.load import load_voice
    from voxgrad.voice.voice import SpeechJob

    cast = Cast(load_voice(store, voice, emit=emit, engine="torch"))
    job = SpeechJob(text, cast, seed=seed)
    return say(store, job, name=name, emit=emit).path(AUDIO)


def _target(store: "Store", base: "Artifact", output: Path, emit: "Emit") -> Path:
    """Recordings of another speaker: what the base says, with pitch and formants lowered; and their list."""
    from voxgrad.audio.io import read_audio, write_audio
    from voxgrad.audio.praat import shift
    from voxgrad.onnx.export import SENTENCES

    folder = output / "wavs"
    folder.mkdir(exist_ok=True)
    lines = []
    for number, text in enumerate(SENTENCES[:_RECORDINGS]):
        spoken = read_audio(_say(store, base, text, emit, number, "demo"))
        write_audio(folder / f"{number:02}.wav", shift(spoken, _PITCH, _FORMANTS))
        lines.append(f"{number:02}|{text}\n")
    (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    return folder


def _clone(store: "Store", recordings: Path, emit: "Emit", consent: str) -> "Artifact":
    from voxgrad.clone import clone
    from voxgrad.preparation.consent import not_needed
    from voxgrad.presets import load_preset
    from voxgrad.steps.prepare import Options
    from voxgrad.text.symbols import ENGLISH

    # Fewer steps than the preset has, so that the demonstration takes a few minutes.
    preset = load_preset("fast", ["stages.0.steps=120", "stages.1.steps=300"])
    options = Options(consent=not_needed(consent))
    return clone(store, recordings, name="demo", language=ENGLISH, preset=preset, options=options, emit=emit)[1]
