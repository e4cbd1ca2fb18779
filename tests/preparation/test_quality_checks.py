"""What is told of all recordings together: rooms that sound on, noise, clips that are there twice, two voices."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import SENTENCES
from tests.preparation.conftest import TEXTS, rows, write_list
from voxgrad.preparation.quality_checks import split


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


def test_the_same_audio_under_two_names_is_told(folder, prepare):
    shutil.copy(folder / "a.wav", folder / "copy.wav")
    sound, rate = soundfile.read(folder / "b.wav", dtype="int16")
    soundfile.write(folder / "other.flac", sound, rate)
    texts = {"a": TEXTS["a"], "copy": TEXTS["a"], "b": TEXTS["b"], "other": "Rain fell."}
    write_list(folder, texts)
    dataset = prepare(folder, "--base", "none")
    verdicts = {row["id"]: row for row in rows(dataset, "verdicts.jsonl")}
    assert verdicts["a"]["word"] == verdicts["b"]["word"] == "kept"
    assert verdicts["copy"]["reasons"] == ["it has the same audio as a"]
    assert verdicts["other"]["reasons"] == ["it has the same audio as b, but another text"]
    assert "same audio as another clip: 2 clips, such as a and copy" in prepare.err
    assert "1 recordings of the folder are not in metadata.csv" in prepare.err
    assert '<table id="duplicates">' in dataset.path("report.html").read_text(encoding="utf-8")


def test_one_text_of_clips_of_too_different_length_is_told(folder, prepare, record):
    record(folder, {"long": "The sun is warm, and rain fell all day and all night."})
    write_list(folder, {"a": TEXTS["a"], "long": TEXTS["a"], "b": TEXTS["b"]})
    dataset = prepare(folder, "--base", "none")
    verdicts = {row["id"]: " ".join(row["reasons"]) for row in rows(dataset, "verdicts.jsonl")}
    assert "the 2 clips with its text" in verdicts["a"]
    assert "one of them says another" in verdicts["long"]
    assert verdicts["b"] == ""
    assert "same text for clips of very different length: 1 text, such as that of a and long" in prepare.err


DATA = Path(__file__).parents[3] / "shared" / "data"


def voice(seed: int, count: int, tilt: float) -> list[np.ndarray]:
    """Mels that differ from clip to clip, with a colour of their own."""
    draw = np.random.default_rng(seed)
    colour = tilt * np.sin(np.linspace(0, 9, 80))[:, None]
    return [draw.normal(0, 1, (80, 1)) * 0.03 + colour + draw.normal(0, 1, (80, 200)) for _ in range(count)]


def test_two_colours_are_two_voices_and_one_is_not():
    distance, rarer = split(voice(0, 12, 0.0) + voice(1, 4, 3.0), [120.0] * 12 + [None] * 4)
    assert distance > 10
    assert rarer.tolist() == [False] * 12 + [True] * 4
    assert split(voice(0, 20, 0.5), [120.0] * 20)[0] < 10
    assert split([np.zeros((80, 50))] * 8, [None] * 8)[0] == 0.0  # all alike, and unvoiced


def test_two_voices_of_one_name_are_told(tmp_path, record, prepare):
    folder = tmp_path / "voice"
    texts = {f"r{number}": text for number, text in enumerate(SENTENCES[:8])}
    record(folder, texts, f0=100.0)
    record(folder, {f"s{name}": text for name, text in list(texts.items())[:4]}, f0=230.0)
    texts |= {f"s{name}": text for name, text in list(texts.items())[:4]}
    write_list(folder, texts)
    dataset = prepare(folder, "--base", "none")
    assert "the clips of voice seem to have two voices: 4 of 12 sound like another speaker (sr0" in prepare.err
    assert "seem to have two voices" in dataset.path("report.html").read_text(encoding="utf-8")
    write_list(folder, {name: text for name, text in texts.items() if name[0] == "r"})
    prepare(folder, "--base", "none")
    assert "two voices" not in prepare.err


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_real_voices():
    import torch

    from voxgrad.audio.clean import clean
    from voxgrad.audio.mel import log_mel
    from voxgrad.settings import AudioSpec
    from voxgrad.transcripts.find import find_transcripts

    def read(folder: str, count: int) -> list[tuple[np.ndarray, float | None]]:
        found = []
        for entry in find_transcripts(DATA / folder).entries[:count]:
            cleaned = clean(entry.recording, AudioSpec())
            mel = log_mel(torch.from_numpy(cleaned.waveform.samples), AudioSpec().mel)
            found.append((mel.numpy(), cleaned.measures.f0_hz))
        return found

    lj, kathleen = read("lj", 12), read("kathleen", 4)
    assert split(*zip(*lj, strict=True))[0] < 10
    distance, rarer = split(*zip(*lj, *kathleen, strict=True))
    assert distance > 10
    assert rarer.tolist() == [False] * 12 + [True] * 4
