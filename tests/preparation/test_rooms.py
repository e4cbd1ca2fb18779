"""Recordings of noisy and of reverberant rooms, through the command."""

import numpy as np
import pytest
import soundfile

from tests.preparation.conftest import TEXTS, rows, write_list


def changed(folder, change) -> None:
    for path in folder.glob("*.wav"):
        sound, rate = soundfile.read(path)
        soundfile.write(path, change(np.concatenate([np.zeros(rate // 2), sound, np.zeros(rate)]), rate), rate)


def test_a_room_that_sounds_on_is_told(folder, prepare, record):
    more = {f"more{number}": text for number, text in enumerate([*TEXTS.values()] * 3)}
    record(folder, more)
    write_list(folder, {**TEXTS, **more})
    prepare(folder, "--base", "none")
    assert "echoes" not in prepare.err

    def reverberated(sound, rate):
        times = np.arange(int(0.8 * rate)) / rate
        room = np.random.default_rng(0).normal(0, 0.05, len(times)) * 10 ** (-3 * times / 0.7)
        size = 1 << (len(sound) + len(room)).bit_length()
        wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(room, size))[: len(sound)]
        return 0.2 * (sound + wet) + np.random.default_rng(1).normal(0, 1e-5, len(sound))

    changed(folder, reverberated)
    prepare(folder, "--base", "none")
    assert "the room of voice echoes for 0." in prepare.err


def test_noise_is_suppressed_where_it_is_asked_for(folder, prepare):
    pytest.importorskip("pyrnnoise", reason="pyrnnoise is an extra")
    changed(folder, lambda sound, rate: 0.3 * sound + np.random.default_rng(0).normal(0, 0.01, len(sound)))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    plain = prepare(folder, "--base", "none")
    cleaned = prepare(folder, "--base", "none", "--denoise")
    assert "noise suppressed: " in prepare.err
    assert cleaned.ref != plain.ref
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    for row in rows(cleaned, "recordings.jsonl"):
        for made in row["made"]:
            assert made["record"]["measures"]["snr_db"] > made["record"]["snr_db_before"] + 5


def test_without_the_package_nothing_is_begun(folder, refused, monkeypatch):
    from voxgrad.audio import clean

    monkeypatch.setattr(clean, "find_spec", lambda name: None)
    assert "pip install 'voxgrad[denoise]'" in refused("prepare", folder, "--denoise")
