"""Copy synthesis: recordings and mels through a vocoder."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from formant_synthesis import speak_phones
from safetensors.torch import save_file

from voxgrad.audio.io import Waveform, read_audio, write_audio
from voxgrad.audio.mel import log_mel
from voxgrad.settings import MelSpec

SPOKEN = speak_phones(["HH", "AH0", "L", "OW1", "DH", "EH1", "R", "."], seed=0)
LIM = ("--vocoder", "griffinlim")


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    write_audio(tmp_path / "spoken.wav", SPOKEN)
    return tmp_path / "spoken.wav"


def test_the_copy_is_as_long_and_nearly_the_same(done, spoken):
    outcome = done("vocode", spoken, "-o", "copy.wav", *LIM, "--json")
    answer = json.loads(outcome.out)
    assert (answer["file"], answer["vocoder"]) == ("copy.wav", "griffinlim")
    assert answer["seconds"] == pytest.approx(SPOKEN.seconds, abs=1e-4)
    copy = read_audio(Path("copy.wav"))
    assert len(copy.samples) == len(SPOKEN.samples)
    assert 0 < answer["mel_l1"] < 0.3
    assert answer["real_time_factor"] > 0
    whole = len(copy.samples) // 256 * 256
    mels = [log_mel(torch.from_numpy(one.samples[:whole]), MelSpec()) for one in (copy, read_audio(spoken))]
    assert float((mels[0] - mels[1]).abs().mean()) == pytest.approx(answer["mel_l1"], rel=0.3)


def test_every_sample_counts(done):
    for length in (6143, 6144, 6145):
        write_audio(Path("part.wav"), Waveform(SPOKEN.samples[4000 : 4000 + length], 22050))
        done("vocode", "part.wav", "-o", "copy.wav", *LIM)
        assert soundfile.info("copy.wav").frames == length


def test_without_a_name_the_copy_lies_in_the_working_folder(command, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    write_audio(tmp_path / "elsewhere" / "a.b.flac", SPOKEN)
    outcome = command("vocode", "elsewhere/a.b.flac", *LIM)
    assert outcome.out.startswith("a.b-vocoded.wav: ")
    assert "mel L1 0." in outcome.out
    assert soundfile.info("a.b-vocoded.wav").frames == len(SPOKEN.samples)


@pytest.mark.parametrize("ending", ["npy", "safetensors"])
def test_a_mel_file_sounds_like_its_recording(done, spoken, ending):
    whole = SPOKEN.samples[: len(SPOKEN.samples) // 256 * 256]
    write_audio(Path("whole.wav"), Waveform(whole, 22050))
    mel = log_mel(torch.from_numpy(read_audio(Path("whole.wav")).samples), MelSpec())
    if ending == "npy":
        np.save("mel.npy", mel.numpy())
    else:
        save_file({"mel": mel}, "mel.safetensors", {"mel": MelSpec().model_dump_json()})
    done("vocode", f"mel.{ending}", "-o", "a.wav", *LIM)
    done("vocode", "whole.wav", "-o", "b.wav", *LIM)
    assert np.array_equal(read_audio(Path("a.wav")).samples, read_audio(Path("b.wav")).samples)


def test_a_vocoder_speaks_at_its_own_rate_and_the_default_is_what_say_takes(command, spoken, add_vocoder):
    add_vocoder("wide", MelSpec(sample_rate=24000, f_max=12000, n_mels=100))
    outcome = command("vocode", spoken, "-o", "copy.wav", "--vocoder", "wide", "--json")
    assert json.loads(outcome.out)["vocoder"] == "wide@v1"
    info = soundfile.info("copy.wav")
    assert (info.samplerate, info.frames) == (24000, np.ceil(len(SPOKEN.samples) * 24000 / 22050))
    add_vocoder("mine", MelSpec())
    assert json.loads(command("vocode", spoken, "--json").out)["vocoder"] == "mine@v1"


def test_a_mel_of_another_kind_is_refused_and_both_sides_are_named(refused, add_vocoder):
    other = MelSpec(sample_rate=24000, f_max=12000)
    save_file({"mel": torch.zeros(80, 9) - 1}, "mel.safetensors", {"mel": other.model_dump_json()})
    add_vocoder("mine", MelSpec())
    line = refused("vocode", "mel.safetensors", "--vocoder", "mine")
    assert "vocoder mine@v1 does not fit the mel of mel.safetensors" in line
    assert "sample_rate 22050 instead of 24000" in line


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["missing.wav"], "does not exist"),
        (["."], "is not a file"),
        (["missing.npy"], "there is no mel file"),
        (["bands.npy"], "has 40 mel bands, but the vocoder takes 80"),
        (["decibels.npy"], "natural logarithm"),
        (["mel.pt"], "could run arbitrary code"),
        (["silent.wav"], "silent"),
        (["text.wav"], "not an audio file"),
        (["spoken.wav", "-o", "copy.mp4"], "does not have a supported audio ending"),
        (["spoken.wav", "-o", "nowhere/copy.wav"], "does not exist"),
        (["spoken.wav", "-o", "spoken.wav"], "is the input file"),
        (["spoken.wav", "--vocoder", "nobody"], "nobody"),
        (["spoken.wav", "--vocoder", ""], "is not a reference"),
    ],
)
def test_what_cannot_be_copied_is_refused(arguments, word, command, spoken, refused):
    np.save("bands.npy", np.zeros((40, 9)) - 1)
    np.save("decibels.npy", np.full((80, 9), -60.0))
    torch.save(torch.zeros(80, 9), "mel.pt")
    write_audio(Path("silent.wav"), Waveform(np.zeros(9999, np.float32), 22050))
    Path("text.wav").write_text("no sound at all")
    before = spoken.read_bytes()
    assert word in refused("vocode", *arguments)
    assert spoken.read_bytes() == before
    assert not list(Path().glob("*-vocoded.wav"))
