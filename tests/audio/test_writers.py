import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from meter import examine

from voxgrad.audio.io import read_audio, to_pcm
from voxgrad.audio.writers import WaveWriter, check_writable_audio, convert, open_writer, read_comment
from voxgrad.errors import BadInputError, EnvironmentFailureError
from voxgrad.settings import DeliverySpec

RATE = 22050
TONE = (0.5 * np.sin(np.arange(RATE) * 0.05)).astype(np.float32)
REMARK = "synthetic speech " + "x" * 100_001


def write(path: Path, remark: str = REMARK) -> None:
    with open_writer(path, RATE, remark) as sink:
        for start in range(0, len(TONE), 1000):
            sink.write(TONE[start : start + 1000])


@pytest.mark.parametrize(
    ("ending", "kind", "lossless"),
    [("wav", "WAV", True), ("flac", "FLAC", True), ("ogg", "OGG", False), ("mp3", "MP3", False)],
)
def test_four_formats_keep_sound_and_remark(ending, kind, lossless, tmp_path: Path):
    path = tmp_path / f"a.{ending}"
    write(path)
    assert soundfile.info(path).format == kind
    assert read_comment(path) == REMARK
    assert soundfile.info(path).samplerate == RATE
    if lossless:
        assert np.array_equal(soundfile.read(path, dtype="int16")[0], to_pcm(TONE))
    else:
        assert np.corrcoef(read_audio(path).samples[: len(TONE)], TONE)[0, 1] > 0.9
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("ending", "codec", "asked"),
    [
        ("wav", "pcm_s24le", {"bits": 24, "stereo": True}),
        ("wav", "pcm_f32le", {"bits": 32}),
        ("flac", "flac", {"bits": 24, "stereo": True}),
        ("ogg", "vorbis", {"stereo": True}),
        ("mp3", "mp3float", {"bit_rate": 32}),
        ("mp3", "mp3float", {"rate": 44100, "bit_rate": 192, "stereo": True}),
        ("mp3", "mp3float", {"rate": 8000}),
        ("m4a", "aac", {"rate": 44100, "bit_rate": 96, "stereo": True}),
        ("opus", "opus", {"rate": 48000}),
    ],
)
def test_files_are_as_they_are_asked_for(ending, codec, asked, tmp_path: Path):
    path, delivery = tmp_path / f"a.{ending}", DeliverySpec(**asked)
    rate = delivery.rate or RATE
    check_writable_audio(path, delivery)
    with open_writer(path, rate, REMARK, delivery) as sink:
        for start in range(0, len(TONE), 1000):
            sink.write(TONE[start : start + 1000])
    found = examine(path)
    assert (found.codec, found.rate, found.channels) == (codec, rate, delivery.channels)
    assert ending != "mp3" or found.bit_rate == (delivery.bit_rate or 64)
    assert found.peak == pytest.approx(-6, abs=0.4 if ending in {"ogg", "m4a"} else 0.1)
    assert read_comment(path) == REMARK


@pytest.mark.parametrize("asked", [{"bits": 24, "stereo": True}, {"bits": 32}])
@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_more_bits_keep_more_of_the_sound(ending, asked, tmp_path: Path):
    delivery = DeliverySpec(**asked)
    with open_writer(tmp_path / "a.wav", RATE, "x", delivery) as sink:
        sink.write(TONE)
    convert(tmp_path / "a.wav", tmp_path / f"b.{ending}", "x", delivery)
    first, second = (soundfile.read(tmp_path / name, always_2d=True)[0] for name in ("a.wav", f"b.{ending}"))
    assert np.abs(first - TONE[:, None]).max() < (2**-23 if asked["bits"] == 24 else 1e-9)
    assert np.abs(first - second).max() < (1e-9 if (ending, asked["bits"]) != ("flac", 32) else 2**-15)


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("a.mp3", {"bits": 24}, "MP3 cannot hold samples of 24 bits"),
        ("a.flac", {"bits": 32}, "FLAC cannot hold samples of 32 bits"),
        ("a.opus", {"rate": 44100}, "Opus has no sample rate of 44100 Hz"),
        ("a.mp3", {"bit_rate": 192}, "MP3 at 22050 Hz has at most 160 kbit/s, not 192"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(name, asked, message, tmp_path: Path):
    with pytest.raises(BadInputError, match=message):
        check_writable_audio(tmp_path / name, DeliverySpec(**asked))


def test_a_wav_is_what_others_read(tmp_path: Path):
    write(tmp_path / "a.wav", "short")
    content = (tmp_path / "a.wav").read_bytes()
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        assert file.comment == "short"
        assert file.frames == len(TONE)


def test_a_stream_begins_with_a_header_and_can_be_kept(tmp_path: Path):
    stream = io.BytesIO()
    sink = WaveWriter(stream, RATE, REMARK)
    sink.write(TONE)
    (tmp_path / "kept.wav").write_bytes(stream.getvalue())
    assert np.array_equal(soundfile.read(tmp_path / "kept.wav", dtype="int16")[0], to_pcm(TONE))
    assert len(read_audio(tmp_path / "kept.wav").samples) == len(TONE)
    assert read_comment(tmp_path / "kept.wav") == REMARK


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_converting_changes_no_sample(ending, tmp_path: Path):
    write(tmp_path / "a.wav")
    convert(tmp_path / "a.wav", tmp_path / f"b.{ending}", "other")
    assert np.array_equal(soundfile.read(tmp_path / f"b.{ending}", dtype="int16")[0], to_pcm(TONE))
    assert read_comment(tmp_path / f"b.{ending}") == "other"


def test_full_scale_is_converted_too(tmp_path: Path):
    with open_writer(tmp_path / "a.wav", RATE, "x") as sink:
        sink.write(np.float32([1, -1, 0, 2, -2]))
    convert(tmp_path / "a.wav", tmp_path / "b.flac", "x")
    assert soundfile.read(tmp_path / "b.flac", dtype="int16")[0].tolist() == [32767, -32767, 0, 32767, -32767]


def test_what_fails_leaves_nothing(tmp_path: Path):
    with pytest.raises(ValueError, match="convert"), open_writer(tmp_path / "a.wav", RATE, "x") as sink:
        sink.write(np.float32("no sample"))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_known_before(tmp_path: Path, monkeypatch):
    with pytest.raises(BadInputError, match="does not have a supported audio ending"):
        check_writable_audio(tmp_path / "a.mid")
    with pytest.raises(BadInputError, match="does not exist"):
        check_writable_audio(tmp_path / "nowhere" / "a.wav")
    check_writable_audio(tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []

    def refuse(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)  # root may write anywhere
    with pytest.raises(EnvironmentFailureError, match="Read-only file system"):
        check_writable_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVELIST\xff\xff\0\0INFO"])
def test_a_remark_is_not_found_in_stumps(content, tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(content)
    if content:
        assert read_comment(tmp_path / "a.wav") == ""
    else:
        with pytest.raises(BadInputError, match="cannot be read as audio"):
            read_comment(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["nowhere.wav", "folder", "text.txt"])
def test_what_is_no_sound_has_no_remark(name, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(BadInputError, match="cannot be read as audio"):
        read_comment(tmp_path / name)
