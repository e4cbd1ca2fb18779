"""`voxgrad record`, at a terminal that is a pipe, with a microphone that plays recordings."""

import io
import sys
import types

import numpy as np
import pytest
import soundfile

from voxgrad.cli.record import meter
from voxgrad.preparation.recording_session import RecordingSession
from voxgrad.store import Store

AGREED = ("--speaker", "Ann Lee", "--consent", "Bob may clone my voice.")


@pytest.fixture
def microphone(monkeypatch, recordings):
    """Stands in for PortAudio: a stream that hands on a recording as soon as it is opened."""
    module = types.ModuleType("sounddevice")
    module.PortAudioError = type("PortAudioError", (Exception,), {})
    module.check_input_settings = lambda *_, **__: None
    module.sound = soundfile.read(recordings / "wavs" / "r00.wav", dtype="float32")[0]

    class InputStream:
        def __init__(self, rate, *, device, channels, callback) -> None:
            assert (rate, channels) == (48_000, 1)
            self.callback = callback

        def __enter__(self):
            for block in np.array_split(module.sound[:, None], 10):
                self.callback(block, len(block), None, None)

        def __exit__(self, *_):
            return None

    module.InputStream = InputStream
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def typed(monkeypatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_takes_are_recorded_checked_and_gone_on_with(command, microphone, monkeypatch, tmp_path):
    (tmp_path / "mine.txt").write_text("The sun is warm.\n\nA bird sang at dawn.\n", encoding="utf-8")
    # Recorded and refused, recorded and kept anyway, then the end.
    typed(monkeypatch, "", "", "n", "", "", "y", "q")
    done = command("record", "ann", "--prompts", "mine.txt", *AGREED)
    assert done.code == 0, done.err
    assert "1 of 2 sentences" in done.out
    assert (
        'voxgrad prepare ann --name ann --speaker "Ann Lee" --consent "Bob may clone my voice."' in done.out
    )
    session = RecordingSession.open(tmp_path / "ann")
    assert list(session.takes()) == [1]
    assert soundfile.info(session.take(1)).samplerate == 48_000
    typed(monkeypatch, "s")
    again = command("record", "ann")
    assert "A bird sang at dawn." in again.err
    assert "The sun is warm." not in again.err
    microphone.sound = np.zeros(48_000, np.float32)
    typed(monkeypatch, "", "", "q")
    assert "Nothing was heard" in command("record", "ann").err
    prepared = command("prepare", "ann", "--base", "none", *AGREED)
    assert prepared.code == 0, prepared.err
    assert (
        Store.open(tmp_path / "home").find("ann", "dataset").manifest.consent
        == "Ann Lee: Bob may clone my voice."
    )


def test_what_cannot_be_recorded(refused, command, microphone, monkeypatch, tmp_path):
    assert "agreed" in refused("record", "ann")
    assert "agreed" in refused("record", "ann", "--speaker", "Ann")
    assert "consent" in refused("record", "ann", "--speaker", " ", "--consent", "Yes.")
    assert "missing.txt" in refused("record", "ann", "--prompts", "missing.txt", *AGREED)
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    assert "no sentences" in refused("record", "ann", "--prompts", "empty.txt", *AGREED)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert "not empty" in refused("record", "full", *AGREED)
    assert not (tmp_path / "ann").exists()
    typed(monkeypatch, "q")
    assert command("record", "ann", *AGREED).code == 0
    assert "already" in refused("record", "ann", *AGREED)

    def no_device(*_: object, **__: object) -> None:
        raise microphone.PortAudioError("Error querying device -1")

    microphone.check_input_settings = no_device
    found = command("record", "ann")
    assert found.code == 4
    assert "--device" in found.err
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "voxgrad[record]" in refused("record", "ann")


def test_the_meter_is_of_one_width():
    assert len({len(meter(peak)) for peak in (0.0, 0.001, 0.5, 1.0, 2.0)}) == 1
