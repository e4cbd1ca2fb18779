"""The speech route, as OpenAI's client, httpx and the samples of `say` know it."""

import asyncio
import base64
import io
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import soundfile

from voxgrad.audio.io import Waveform, resample
from voxgrad.audio.writers import read_comment
from voxgrad.server.encoders import MEDIA_TYPES, EncoderThread, open_encoder
from voxgrad.server.service import UnknownVoiceError
from voxgrad.server.speech_api import ROUTES, _find
from voxgrad.server.workers import Metrics, WorkerPool
from voxgrad.settings import DeliverySpec, SynthesisSpec
from voxgrad.voice.metadata import read_recipe

ROOT = Path(__file__).parent.parent.parent
LONG = "The sun is warm today, and birds sing. " * 3
QUICK = {"steps": 1, "speed": 4.0}


def events(content: str) -> list[dict]:
    return [json.loads(line.removeprefix("data: ")) for line in content.splitlines() if line]


def samples(content: bytes) -> np.ndarray:
    """Of a WAV, whose header may not know its length."""
    with wave.open(io.BytesIO(content)) as file:
        start = content.index(b"data") + 8
        assert file.getframerate() == 22050
    return np.frombuffer(content[start:], "<i2")


def test_the_openai_client_speaks(served):
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"{served.address}/v1", api_key="none needed")
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="robot", input="Hello there.", response_format="flac", instructions="calmly"
    ) as answer:
        audio, rate = soundfile.read(io.BytesIO(answer.read()))
    assert rate == 22050
    assert len(audio) > 2000
    assert "voxgrad" in {model.id for model in client.models.list()}
    assert client.models.retrieve("tts-1").id == "tts-1"
    with pytest.raises(openai.NotFoundError, match="robot") as caught:
        client.audio.speech.create(model="tts-1", voice="alice", input="Hello there.")
    assert caught.value.code == "voice_not_found"
    with pytest.raises(openai.BadRequestError, match="speed"):
        client.audio.speech.create(model="tts-1", voice="robot", input="Hello there.", speed=9)


@pytest.mark.parametrize(
    "fields",
    [
        {"voice": "alloy"},
        {"voice": {"id": "marin"}},
        {"voice": None},
        {"voice": None, "speed": None, "model": None, "seed": None, "stream_format": None, "include": None},
        {"response_format": "WAV", "stream_format": "Audio"},
    ],
    ids=str,
)
def test_what_openais_clients_send_unasked_means_the_default(served, fields):
    fields = {**QUICK, **fields}
    answer = served.say("Hello there.", **fields)
    assert (
        answer.content == served.say("Hello there.", speed=fields["speed"], steps=1).content
    )  # by robot, the newest voice


def test_a_name_of_openais_is_a_voice_of_ones_own_before_anything_else():
    def find(wanted: str | None) -> str:
        if wanted in {"nova", "alice", None}:
            return str(wanted)
        raise UnknownVoiceError("there is none", "Clone one.")

    service, names = (SimpleNamespace(find=find), {"nova": "alice", "echo": "alice", "Zoe": "alice", "onyx": "bob"})
    found = {wanted: _find(service, wanted, names) for wanted in ("nova", "echo", "Zoe", "alloy")}
    assert found == {"nova": "nova", "echo": "alice", "Zoe": "alice", "alloy": "None"}
    for wanted in ("zoe", "onyx", "Alloy"):
        with pytest.raises(UnknownVoiceError):
            _find(service, wanted, names)


def test_samples_are_those_of_the_python_interface_and_the_recipe_is_there(served, robot, tmp_path):
    changes = {"speed": 1.5, "temperature": 0.5, "steps": 2, "postfilter": 0.4, "edge_silence": 0.2}
    answer = served.say(LONG, seed=5, **changes, volume=None)
    assert answer.headers["content-type"] == "audio/wav"
    assert "content-length" not in answer.headers  # it was sent while it was made
    expected = robot.say(LONG, seed=5, **changes)
    expected.save(tmp_path / "expected.wav")
    assert np.array_equal(samples(answer.content), samples((tmp_path / "expected.wav").read_bytes()))
    (tmp_path / "answer.wav").write_bytes(answer.content)
    recipe = read_recipe(read_comment(tmp_path / "answer.wav"), "the answer")
    assert recipe is not None
    assert (recipe.text, recipe.seed, recipe.voice.ref) == (LONG, 5, "robot@v1")
    assert recipe.threads == 1


def test_a_short_text_is_a_complete_file_with_its_length(served, tmp_path):
    answer = served.say("Hello there.", seed=2**62, **QUICK)
    assert int(answer.headers["content-length"]) == len(answer.content)
    with wave.open(io.BytesIO(answer.content)) as file:
        assert file.getnframes() == len(samples(answer.content))


def decoded(content: bytes) -> tuple[int, np.ndarray]:
    """Rate and samples of an audio file, full scale at ±1."""
    with av.open(io.BytesIO(content)) as container:
        pcm = av.AudioResampler("flt")
        blocks = [one.to_ndarray()[0] for frame in container.decode(audio=0) for one in pcm.resample(frame)]
        return container.streams.audio[0].rate, np.concatenate(blocks)


@pytest.fixture(scope="module")
def seconds(served) -> dict[str, float]:
    """How long each text is as a WAV."""
    return {text: len(samples(served.say(text, **QUICK).content)) / 22050 for text in ("Hello there.", LONG)}


@pytest.mark.parametrize("text", ["Hello there.", LONG], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_every_format_holds_the_same_sound(served, seconds, tmp_path, command, kind, text):
    answer = served.say(text, response_format=kind, **QUICK)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPES[kind]
    expected = seconds[text]
    if kind == "pcm":
        assert len(answer.content) / 2 / 24000 == pytest.approx(expected, abs=0.01)
        return
    rate, heard = decoded(answer.content)
    assert len(heard) / rate == pytest.approx(expected, abs=0.2)
    if kind == "aac":
        return
    found = tmp_path / f"sound.{'ogg' if kind == 'opus' else kind}"
    found.write_bytes(answer.content)
    if kind != "m4a":
        assert len(soundfile.read(found)[0]) / soundfile.info(found).samplerate == pytest.approx(expected, abs=0.2)
    recipe = json.loads(command("info", found, "--json").out)["recipe"]
    assert (recipe["text"], recipe["voice"]["ref"]) == (text, "robot@v1")


@pytest.mark.parametrize("rate", [22050, 44100])
@pytest.mark.parametrize("kind", sorted(set(MEDIA_TYPES) - {"pcm"}))
@pytest.mark.parametrize("whole", [True, False])
def test_no_sample_is_lost_between_pieces(kind, rate, whole, capfd):
    seconds = np.arange(2 * rate + 777) / rate
    tone = (0.3 * np.sin(1500 * seconds + 300 * np.sin(seconds))).astype(np.float32)
    encoder = open_encoder(kind, rate, "a remark " * 9000, DeliverySpec(), whole=whole)
    sizes = [0, 1, 5, rate, 3, rate // 2, 0, len(tone)]
    edges = np.cumsum(sizes)
    parts = [encoder.write(tone[start:stop]) for start, stop in zip([0, *edges], edges, strict=False)]
    assert any(parts) == (not whole and kind not in {"flac", "m4a"})
    rate_found, heard = decoded(b"".join(parts) + encoder.finish())
    encoder.close()
    expected = resample(Waveform(tone, rate), rate_found).samples
    # An mp3 or aac that is sent while it is made cannot tell how much silence its codec began with.
    delay = {"mp3": 0 if whole else 1105, "aac": 1024}.get(kind, 0)
    assert 0 <= len(heard) - delay - len(expected) < (1 if kind in {"wav", "flac"} else 1200)
    middle = slice(rate_found // 10, -rate_found // 10)
    same = heard[delay : delay + len(expected)]
    assert np.corrcoef(same[middle], expected[middle])[0, 1] > 0.99
    assert capfd.readouterr() == ("", "")


def test_an_encoder_is_closed_after_what_it_writes():
    async def leave_while_it_writes(kind: str) -> None:
        encoder = EncoderThread(open_encoder(kind, 22050, "x", DeliverySpec(), whole=False))
        writing = asyncio.create_task(encoder.write(np.zeros(22050 * 20, np.float32)))
        await asyncio.sleep(0.005)
        writing.cancel()
        encoder.leave()

    before = threading.active_count()
    for kind in MEDIA_TYPES:
        asyncio.run(leave_while_it_writes(kind))
    deadline = time.monotonic() + 10
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_events_bring_audio_words_and_mel(served):
    answer = served.say(LONG, stream_format="sse", response_format="pcm", include=["words", "mel"], **QUICK)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events(answer.text)
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["total_tokens"] > 0
    audio = b"".join(base64.b64decode(one["audio"]) for one in deltas)
    assert audio == served.say(LONG, response_format="pcm", **QUICK).content
    words = [word["text"] for one in deltas for word in one.get("passage", {"words": []})["words"]]
    assert " ".join(words).startswith("The sun is warm")
    mel = np.frombuffer(base64.b64decode(deltas[0]["mel"]["frames"]), np.uint8)
    assert len(mel) % deltas[0]["mel"]["bands"] == 0
    assert np.ptp(mel) > 10


@pytest.mark.parametrize(
    ("fields", "described"),
    [
        ({"response_format": None, "purpose": "podcast"}, ("mp3float", 44100, 1)),
        ({"response_format": None, "purpose": "phone"}, ("pcm_s16le", 8000, 1)),
        ({"response_format": "wav", "bits": 24, "rate": 48000, "stereo": True}, ("pcm_s24le", 48000, 2)),
        ({"response_format": "flac", "bits": 24, "stereo": True}, ("flac", 22050, 2)),
        ({"response_format": "m4a", "rate": 44100}, ("aac", 44100, 1)),
    ],
    ids=str,
)
def test_the_file_is_as_it_is_asked_for(served, robot, fields, described):
    asked = {name: value for name, value in fields.items() if name != "response_format"}
    answer = served.say(LONG, loudness=-20, **fields, **QUICK)
    assert answer.status_code == 200, answer.text
    with av.open(io.BytesIO(answer.content)) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == described
    expected = robot.say(LONG, loudness=-20, **asked, **QUICK)
    assert expected.rate == described[1]
    rate, heard = decoded(answer.content)
    if described[0] in {"flac", "pcm_s24le"}:
        assert np.abs(heard[:: described[2]] - expected.samples).max() < 2**-23
    assert len(heard) / rate / described[2] == pytest.approx(expected.seconds, abs=0.2)


def test_the_options_of_a_request_are_told(served):
    with served.client() as client:
        options = client.get("/v1/audio/options").json()["properties"]
    assert options["speed"]["minimum"] == 0.2
    assert options["sentence_silence"]["unit"] == "seconds"
    assert "dpmpp" in options["sampler"]["enum"]
    assert {*SynthesisSpec.model_fields, *DeliverySpec.model_fields} - {*options} == {"speaker"}


def test_the_document_describes_every_route_and_its_example_works(served):
    with served.client() as client:
        document = client.get("/openapi.json").json()
        assert client.get("/docs").headers["location"] == "/#/docs"
        described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
        assert {(method, route.path) for route in ROUTES for method in route.methods - {"HEAD"}} <= described
        schemas = document["components"]["schemas"]
        named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
        assert named == set(schemas)
        body = schemas["SpeechBody"]["properties"]
        assert {*SynthesisSpec.model_fields, *DeliverySpec.model_fields, "input"} - {*body} == {"speaker"}
        assert (body["speed"]["default"], body["bits"]["default"]) == (1.0, 16)
        speech = document["paths"]["/v1/audio/speech"]["post"]
        answer = client.post("/v1/audio/speech", json=speech["requestBody"]["content"]["application/json"]["example"])
        assert answer.status_code == 200
        assert answer.headers["content-type"] in speech["responses"]["200"]["content"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_examples_of_the_documentation_run(served, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    page = page.replace("http://127.0.0.1:8020", served.address).replace("alice", "robot")
    monkeypatch.chdir(tmp_path)
    shell = re.findall(r"^```sh\n(curl.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for command in shell:
        shortened = re.sub(r"\| ffplay.*", "> stream.wav", command)
        subprocess.run(["bash", "-c", shortened], check=True, capture_output=True, timeout=60)  # noqa: S607
    assert soundfile.info("morning.mp3").format == "MP3"
    assert len(samples(Path("stream.wav").read_bytes())) > 2000
    heard: list[bytes] = []
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(Audio=heard.append))
    (notebook,) = re.findall(r"^```python\n(import httpx.*?)^```$", page, re.MULTILINE | re.DOTALL)
    exec(compile(notebook, "docs", "exec"), {})  # noqa: S102 - our own page
    assert heard[0][:4] == b"RIFF"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Hello 你好, how are you?", "Hello, how are you?"),
        ("Dear {name}, \ud83d the co\u00adst is \\sqrt{x}.", "Dear name, the cost is sqrt x."),
        ("<speak>Tom & Jerry (λόγος).</speak>", "<speak>Tom and Jerry.</speak>"),
    ],
)
def test_what_cannot_be_read_is_left_out(served, text, read):
    content = json.dumps({"input": text, "voice": "robot", "response_format": "pcm", **QUICK})
    with served.client() as client:
        answer = client.post("/v1/audio/speech", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert answer.content == served.say(read, **{**QUICK, "response_format": "pcm"}).content


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"input": ""}, 400, "no words"),
        ({"input": "…!"}, 400, "no words"),
        ({"input": "Привет"}, 400, "Cyrillic"),
        ({"input": "x" * 100_001}, 400, "characters"),
        ({"input": 5}, 400, "input"),
        ({}, 400, "input"),
        ({"input": "Hi.", "response_format": "midi"}, 400, "response_format"),
        ({"input": "Hi.", "speed": "fast"}, 400, "speed"),
        ({"input": "Hi.", "model": "gpt-9"}, 404, "voxgrad-best"),
        ({"input": "Hi.", "voice": "../../etc"}, 404, "robot"),
        ({"input": "Hi.", "voice": "dataset/robot"}, 404, "robot"),
        ({"input": "Hi.", "voice": "robot@v99"}, 404, "robot"),
        ({"input": "Hi.", "voice": "english:nobody"}, 404, "nobody"),
        ({"input": "Hi.", "voice": {"id": "nobody"}}, 404, "robot"),
        ({"input": "Hi.", "seed": -1}, 400, "seed"),
        ({"input": "Hi.", "question_rise": 2}, 400, "question_rise"),
        ({"input": "Hi.", "voice": 5}, 400, "voice: Input"),
        ({"input": "Hi.", "include": ["words", "no"]}, 400, "include.1: Input"),
        ({"input": "Hi.", "bits": 24}, 400, "MP3 cannot hold samples of 24 bits"),
        ({"input": "Hi.", "rate": 11025}, 400, "rate"),
        ({"input": "Hi.", "rate": 44100, "response_format": "opus"}, 400, "Opus has no sample rate of 44100 Hz"),
        ({"input": "Hi.", "loudness": -16, "volume": 2}, 400, "volume and loudness cannot be used together"),
    ],
)
def test_what_cannot_be_said_is_told_in_openais_form(served, body, status, word):
    with served.client() as client:
        answer = client.post("/v1/audio/speech", json={"voice": "robot", **body})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert word in error["message"]
    assert "\n" not in error["message"]


def test_lists_say_what_there_is(served):
    with served.client() as client:
        voices = {one["id"]: one for one in client.get("/v1/audio/voices").json()["voices"]}
        assert voices["robot"]["consent"] == "not needed: synthetic"
        assert "kathleen" in voices["english"]["speakers"]
        about = {one.pop("name"): one for one in voices["english"]["speaker_details"]}
        assert list(about) == voices["english"]["speakers"]
        refused = client.post("/v1/audio/speech", json={"input": "Hi.", "voice": "english:nobody"})
        more = re.search(r" and (\d+) more", refused.json()["error"]["message"])
        assert more is not None
        assert int(more[1]) < len(about)  # a name that several languages have counts once
        adam = {"sex": "male", "accent": "American", "hertz": 109, "pitch": "low", "language": None}
        assert about["am_adam"] == adam
        assert (about["libri-103"]["sex"], about["libri-103"]["pitch"]) == ("female", "high")
        assert (about["mix00"]["sex"], about["mix00"]["accent"]) == (None, None)
        assert {one["pitch"] for one in about.values()} == {"low", "middle", "high"}
        assert [one["hertz"] for one in voices["robot"]["speaker_details"]] == [None]
        assert voices["english"]["languages"][0] == voices["robot"]["languages"][0] == "en"
        assert client.get("/healthz").json()["status"] == "ok"
        assert client.get("/v1/models/nothing").status_code == 404
        assert client.get("/v1/audio/speech").status_code == 405
        assert "voxgrad_real_time_factor" in client.get("/metrics").text


def test_later_passages_wait_for_first_ones_but_not_for_ever():
    async def order() -> list[str]:
        pool = WorkerPool(1, 1, 5.0, Metrics())
        done: list[str] = []

        async def ask(name: str, *, later: bool) -> None:
            await pool.call(print, name, later=later)
            done.append(name)

        asked = [asyncio.create_task(ask(f"later {n}", later=True)) for n in range(2)]
        asked += [asyncio.create_task(ask(f"first {n}", later=False)) for n in range(7)]
        await asyncio.sleep(0)
        while not all(task.done() for task in asked):
            next_one = await pool._next()
            next_one.done.set_result(None)
            await asyncio.sleep(0)
        return done

    assert asyncio.run(order()) == [
        *("first 0", "first 1", "first 2", "later 0"),
        *("first 3", "first 4", "first 5", "later 1", "first 6"),
    ]
