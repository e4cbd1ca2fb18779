"""`voxgrad record`: prompts are read into the microphone, checked at once, and kept for `prepare`."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgrad.cli.shared_options import Session
from voxgrad.errors import BadInputError, EnvironmentFailureError

if TYPE_CHECKING:
    from voxgrad.preparation.recording_session import RecordingSession
    from voxgrad.preparation.take_checks import TakeReport

_RATE = 48_000
_LONGEST = 60.0  # seconds of a take
_WIDTH = 30  # characters of the level meter
_FLOOR = -60.0  # dB at its left end
_REFRESH = 0.05  # seconds


def record(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or one to go on with.")],
    *,
    name: Annotated[str | None, typer.Option(help="Name of the voice; default: the folder's.")] = None,
    speaker: Annotated[str | None, typer.Option(metavar="NAME", help="Who speaks.")] = None,
    consent: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What the speaker agrees to; default: it is asked.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sentences, one a line; default: fifty of ours.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="The microphone; default: the system's.")
    ] = None,
) -> None:
    """Record a voice at the terminal, sentence by sentence, with the checks of the page."""
    from voxgrad.cli.terminal import answer

    session: Session = context.obj
    microphone = _Microphone(device)  # before anything is asked or written
    recording = _session(session, folder, name, speaker, consent, prompts)
    _read_all(session, recording, microphone)
    takes = recording.takes()
    command = (
        f'voxgrad prepare {folder} --name {recording.record.name} --speaker "{recording.record.speaker}"'
    )
    command += f' --consent "{recording.record.statement}"'
    answer(
        session,
        {
            "takes": len(takes),
            "prompts": len(recording.record.prompts),
            "seconds": round(sum(takes.values()), 1),
        },
        f"{len(takes)} of {len(recording.record.prompts)} sentences, {sum(takes.values()) / 60:.1f} minutes\n"
        f"  next: {command}",
    )


def _session(
    session: Session,
    folder: Path,
    name: str | None,
    speaker: str | None,
    consent: str | None,
    prompts: Path | None,
) -> "RecordingSession":
    """The session that the folder holds, or a new one: with the speaker's consent, or not at all."""
    from voxgrad.preparation.recording_session import RECORD, RecordingSession, read_prompts
    from voxgrad.store.layout import plain_name
    from voxgrad.text.text_files import read_text

    if (folder / RECORD).exists():
        if (name, speaker, consent, prompts) != (None, None, None, None):
            raise BadInputError(
                f"{folder} holds a session already", "Leave out all options, or name a new folder."
            )
        return RecordingSession.open(folder)
    can_ask = sys.stdin.isatty() and not session.json
    if (speaker is None or consent is None) and not can_ask:
        raise BadInputError(
            "nobody is recorded who has not agreed", "Give --speaker NAME and --consent TEXT."
        )
    who = speaker if speaker is not None else typer.prompt("Who speaks", err=True)
    agreed = consent if consent is not None else typer.prompt("What this person agrees to", err=True)
    texts = None if prompts is None else read_prompts(read_text(prompts).text.splitlines())
    if texts is not None and not texts:
        raise BadInputError(f"{prompts} has no sentences", "Write sentences, one a line.")
    called = plain_name(folder.resolve().name) if name is None else name
    return RecordingSession.create(folder, name=called, speaker=who, statement=agreed, prompts=texts)


class _Microphone:
    """48 kHz, one channel, as the system gives it."""

    def __init__(self, device: str | None) -> None:
        try:
            import sounddevice
        except ModuleNotFoundError as error:
            raise BadInputError(
                "voxgrad record needs sounddevice", "Install it with: pip install 'voxgrad[record]'."
            ) from error
        except OSError as error:  # it is there, and PortAudio is not
            raise EnvironmentFailureError(
                "the PortAudio library is missing", "Install it, as with: apt install libportaudio2."
            ) from error
        self._sounddevice = sounddevice
        self._device = int(device) if device is not None and device.isdecimal() else device
        try:
            sounddevice.check_input_settings(self._device, 1, "float32", samplerate=_RATE)
        except (sounddevice.PortAudioError, ValueError) as error:
            raise EnvironmentFailureError(
                f"no microphone can be used ({' '.join(str(error).split())})",
                "Connect one, or choose another with --device; `python -m sounddevice` lists all.",
            ) from error

    def take(self, path: Path) -> None:
        """Record until Enter is pressed, with a level meter; the WAV is written as it comes."""
        import threading

        import numpy as np
        import soundfile

        level = [0.0]
        enough = threading.Event()

        def wait_for_enter() -> None:
            sys.stdin.readline()
            enough.set()

        threading.Thread(target=wait_for_enter, daemon=True).start()
        with soundfile.SoundFile(path, "w", _RATE, 1, "PCM_16") as file:

            def heard(block: "np.ndarray", *_: object) -> None:
                file.write(block)
                level[0] = float(np.abs(block).max())

            stream = self._sounddevice.InputStream(_RATE, device=self._device, channels=1, callback=heard)
            until = time.monotonic() + _LONGEST
            with stream:
                while not enough.wait(_REFRESH) and time.monotonic() < until:
                    sys.stderr.write(f"\r{meter(level[0])}")
                    sys.stderr.flush()
        sys.stderr.write("\r" + " " * (_WIDTH + 12) + "\r")
        if not enough.is_set():
            sys.stderr.write(f"Stopped after {_LONGEST:.0f} s: press Enter.\n")
            enough.wait()


def meter(peak: float) -> str:
    """A level, 0 to 1, as a bar of decibels.

    >>> meter(1.0)
    '[##############################]   0 dB'
    >>> meter(0.0)
    '[                              ] -60 dB'
    """
    from math import log10

    decibels = min(0.0, max(_FLOOR, 20 * log10(max(peak, 1e-6))))
    full = round((1 - decibels / _FLOOR) * _WIDTH)
    return f"[{'#' * full}{' ' * (_WIDTH - full)}] {round(decibels):3} dB"


def _read_all(session: Session, recording: "RecordingSession", microphone: _Microphone) -> None:
    """Every prompt that has no take; Ctrl-C, or q, leaves the rest for another time."""
    from voxgrad.acoustic_model import load_acoustic_model
    from voxgrad.preparation.take_checks import check_take
    from voxgrad.presets import load_prepare_preset
    from voxgrad.store import Store

    bases = [one for one in Store.open(session.home).list("base") if one.embedded]
    base = load_acoustic_model(bases[-1]) if bases else None
    preset = load_prepare_preset("prepare")
    total = len(recording.record.prompts)
    number = 1
    while number <= total:
        if number in recording.takes():
            number += 1
            continue
        covered = sum(count > 0 for count in recording.coverage().values())
        typer.echo(f"\n{number} of {total}; {covered} sounds of English covered", err=True)
        typer.echo(f"\n    {recording.prompt(number)}\n", err=True)
        chosen = typer.prompt("Enter: record, s: skip, q: end", default="", show_default=False, err=True)
        if chosen.strip() == "q":
            return
        if chosen.strip() == "s":
            number += 1
            continue
        typer.echo("Recording: Enter ends it", err=True)
        incoming = recording.incoming()
        try:
            microphone.take(incoming)
            report = check_take(incoming, recording.prompt(number), base, preset)
            if not report.problems or _keep_anyway(report):
                recording.keep(number, incoming)
                number += 1
        finally:
            incoming.unlink(missing_ok=True)


def _keep_anyway(report: "TakeReport") -> bool:
    for problem in report.problems:
        typer.echo(problem.message, err=True)
    if {one.code for one in report.problems} & {"silent", "unreadable"}:
        return False
    return typer.confirm("Keep it anyway", default=False, err=True)
