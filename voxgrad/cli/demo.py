"""`voxgrad demo`: the whole chain, on recordings of one's own or on speech that it makes itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.shared_options import Session, command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgrad.audio.io import Waveform
    from voxgrad.events import Emit
    from voxgrad.store import Artifact, Store

SENTENCE = "This voice was made on this machine."
_TEXTS = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It is easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.",
    "The hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
    "A rod is used to catch pink salmon.",
    "The source of the huge river is the clear spring.",
    "Kick the ball straight and follow through.",
    "Help the woman get back to her feet.",
    "A pot of tea helps to pass the evening.",
)
"""Harvard sentences (IEEE, 1969)."""
_PITCH, _FORMANTS = 0.62, 0.87
_SYNTHETIC = "the demonstration made the voice itself"
_ON_THIS_MACHINE = "a demonstration, by whoever gave it the recordings, on their own machine"


@command()
def demo(
    session: Session,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Recordings to clone (default: synthetic ones).")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for audio files and the store.")
    ] = Path("demo"),
) -> None:
    """Run all steps: prepare recordings, clone a voice, speak."""
    from voxgrad.audio.io import copy_audio
    from voxgrad.cli.evaluate import card_or_none
    from voxgrad.cli.terminal import shown_path
    from voxgrad.store import Store

    output.mkdir(parents=True, exist_ok=True)
    store = Store.open(output / "store" if session.home is None else session.home)
    with session.progress() as progress:
        base = store.find(None, "base")
        recordings = _target(store, base, output, progress.emit) if folder is None else folder
        consent = _SYNTHETIC if folder is None else _ON_THIS_MACHINE
        voice = _clone(store, base, recordings, progress.emit, consent)
        for speaker, name in ((base, "base.wav"), (voice, "voice.wav")):
            copy_audio(_say(store, speaker, SENTENCE, progress.emit), output / name)
        card = card_or_none(store, voice, progress.emit)
    session.answer(
        {"base": base.ref, "voice": voice.ref, "files": ["base.wav", "voice.wav"], "card": card},
        f"{output / 'base.wav'}: {SENTENCE!r} by base {base.ref}\n"
        f"{output / 'voice.wav'}: the same by its clone {voice.ref}\n"
        f"  pictures: {shown_path(voice.directory / 'curves.png')} and alignment.png beside it"
        + ("" if card is None else f"\n  both side by side: {shown_path(Path(card))}"),
    )


def _say(store: "Store", voice: "Artifact", text: str, emit: "Emit", seed: int = 0, name: str | None = None) -> Path:
    """The audio of a text."""
    from voxgrad.steps.say import AUDIO, say
    from voxgrad.voice.load import load_voice
    from voxgrad.voice.voice import Cast, SpeechJob

    cast = Cast(load_voice(store, voice, emit=emit, engine="torch"))
    job = SpeechJob(text, cast, seed=seed)
    return say(store, job, name=name, emit=emit).path(AUDIO)


def _target(store: "Store", base: "Artifact", output: Path, emit: "Emit") -> Path:
    """Another speaker: what the base says, with pitch and formants lowered."""
    from voxgrad.audio.io import read_audio
    from voxgrad.audio.praat import shift

    spoken = (_say(store, base, text, emit, seed, "demo") for seed, text in enumerate(_TEXTS))
    sources = (read_audio(path) for path in spoken)
    return _record(output / "wavs", (shift(source, _PITCH, _FORMANTS) for source in sources))


def _clone(store: "Store", base: "Artifact", recordings: Path, emit: "Emit", consent: str) -> "Artifact":
    from voxgrad.presets import load_preset
    from voxgrad.steps.finetune import finetune

    # A part of the fast preset: a demonstration should not take longer than a coffee.
    preset = load_preset("fast", ["stages.0.steps=120", "stages.1.steps=300"])
    dataset = _prepare(store, recordings, emit, consent)
    return finetune(store, dataset, base, name="demo", speaker=None, preset=preset, emit=emit)


def _prepare(store: "Store", recordings: Path, emit: "Emit", consent: str) -> "Artifact":
    from voxgrad.preparation.consent import not_needed
    from voxgrad.settings import PrepareSpec, TextSpec
    from voxgrad.steps.prepare import Options, prepare
    from voxgrad.store.artifact import plain_name

    return prepare(
        store,
        recordings,
        name=plain_name(recordings.absolute().name),
        preset=PrepareSpec(description="demo"),
        text=TextSpec(),
        options=Options(consent=not_needed(consent)),
        emit=emit,
    )


def _record(folder: Path, waveforms: "Iterable[Waveform]") -> Path:
    """Writes one recording for each text, and their list."""
    from voxgrad.audio.io import write_audio

    folder.mkdir(exist_ok=True)
    for number, waveform in enumerate(waveforms):
        write_audio(folder / f"{number:02}.wav", waveform)
    lines = (f"{number:02}|{text}\n" for number, text in enumerate(_TEXTS))
    (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    return folder
