"""The Wyoming protocol, by the package's own client; and clients that do not speak it."""

import asyncio
import json
import socket

import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import async_read_event
from wyoming.info import Describe, Info
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped, SynthesizeVoice

from voxgrad.audio.io import to_pcm
from voxgrad.settings import DeliverySpec


def talk(port: int, *groups: list, ends: tuple = (Info, AudioStop, Error)) -> list:
    """What is answered to events, up to one of ``ends`` for each group of them."""

    async def answers() -> list:
        found = []
        async with AsyncTcpClient("127.0.0.1", port) as client:
            for events in groups:
                for event in events:
                    await client.write_event(event.event())
                while (answer := await asyncio.wait_for(client.read_event(), 60)) is not None:
                    found.append(answer)
                    if any(kind.is_type(answer.type) for kind in ends):
                        break
        return found

    return asyncio.run(answers())


def streamed(port: int, *pieces: str, voice: str = "robot") -> list:
    """What is answered to a text in pieces, as Home Assistant sends it."""
    chunks = [SynthesizeChunk(text=piece) for piece in pieces]
    events = [*chunks, Synthesize(text="".join(pieces)), SynthesizeStop()]
    return talk(port, [SynthesizeStart(voice=SynthesizeVoice(name=voice)), *events], ends=(SynthesizeStopped,))


def test_home_assistant_finds_the_voices_and_speaks(served, robot):
    text = "Hello there. The sun is warm."
    asked = Synthesize(text=text.replace("sun", "{sun} (λόγος)"), voice=SynthesizeVoice(name="robot"))
    info, *audio = talk(served.wyoming, [Describe()], [asked])
    (program,) = Info.from_event(info).tts
    assert {"robot", "english"} <= {voice.name for voice in program.voices}
    spoken = {voice.name: voice.languages for voice in program.voices}
    assert all(languages == ["en_US"] for name, languages in spoken.items() if "/" not in name)
    assert all(languages != ["en_US"] for name, languages in spoken.items() if "/" in name)
    start, *chunks, stop = audio
    assert AudioStart.from_event(start).rate == 22050
    assert AudioStop.is_type(stop.type)
    heard = b"".join(AudioChunk.from_event(chunk).audio for chunk in chunks)
    assert np.array_equal(np.frombuffer(heard, "<i2"), to_pcm(robot.say(text).samples))


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (Synthesize(text="Hi.", voice=SynthesizeVoice(name="alloy")), "robot"),
        (Synthesize(text="Hi.", voice=SynthesizeVoice(name="english", speaker="nobody")), "nobody"),
        (Synthesize(text="… 你好", voice=SynthesizeVoice(name="robot")), "no words to speak, only Chinese letters"),
        (Synthesize(text="x" * 100_001, voice=SynthesizeVoice(name="robot")), "characters"),
    ],
    ids=range(4),
)
def test_what_cannot_be_said_is_an_error_and_the_connection_stays(served, asked, word):
    answers = talk(served.wyoming, [asked], [Describe()])
    assert word in Error.from_event(answers[0]).text
    assert Info.is_type(answers[1].type)


def event(kind: object, *, more: bytes = b"", **header: object) -> bytes:
    return json.dumps({"type": kind, **header}).encode() + b"\n" + more


MALFORMED = [
    b"\n",
    b"GET / HTTP/1.1\n",
    b"null\n",
    b"[]\n",
    b"{}\n",
    b"\xff\n",
    b"[" * 50_000 + b"\n",
    event(5),
    event(None),
    event("describe", data=5),
    event("synthesize"),
    event("synthesize", data={"text": 5}),
    event("synthesize", data={"text": None}),
    event("synthesize", data={"text": "Hi.", "voice": "robot"}),
    event("synthesize", data={"text": "Hi.", "voice": {"name": ["robot"]}}),
    event("synthesize", data_length=3, more=b"[1]"),
    event("synthesize", data_length=4, payload_length=5, more=b"nulxHello"),
]
WITHOUT_END = [
    event("describe", data_length=99999999999, more=b"x" * 1000),
    event("describe", data_length=-1),
    event("describe", payload_length="many"),
    event("describe", payload_length=1e300),
    event("describe", payload_length=10**7, more=b"x" * 10**7),
    b"x" * 200_000 + b"\n",
]


@pytest.mark.parametrize("content", [*MALFORMED, *WITHOUT_END], ids=range(len(MALFORMED + WITHOUT_END)))
def test_a_malformed_event_is_answered_and_the_next_one_too(served, content):
    async def talk() -> tuple[Error, object]:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.wyoming)
        writer.write(content + event("describe"))
        error, after = [await asyncio.wait_for(async_read_event(reader), 10) for _ in range(2)]
        writer.close()
        return Error.from_event(error), after

    error, after = asyncio.run(talk())
    assert error.code in {"bad_input", "invalid_json", "too_large"}
    assert "\n" not in error.text
    assert after is None if content in WITHOUT_END else Info.is_type(after.type)
    assert served.metric("voxgrad_requests_active") == 0


@pytest.mark.parametrize("malformed", ["start", "chunk"])
def test_after_a_malformed_piece_nothing_is_said_but_that(served, malformed):
    async def talk() -> list[str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.wyoming)
        writer.write(event("synthesize-start", data={"voice": 7} if malformed == "start" else {}))
        writer.write(event("synthesize-chunk", data={} if malformed == "chunk" else {"text": "Hi. Ho. "}))
        writer.write(event("synthesize-chunk", data={"text": "Hi. Ho. "}) + event("synthesize-stop"))
        kinds = []
        while not kinds or kinds[-1] != "synthesize-stopped":
            kinds.append((await asyncio.wait_for(async_read_event(reader), 10)).type)
        writer.close()
        return kinds

    assert asyncio.run(talk()) == ["error", "synthesize-stopped"]


def test_half_an_event_harms_nobody(served):
    with socket.create_connection(("127.0.0.1", served.wyoming), timeout=10) as connection:
        connection.sendall(event("synthesize", data_length=1000, more=b'{"text": '))
    assert Info.is_type(talk(served.wyoming, [Describe()])[0].type)


def test_a_text_that_comes_in_pieces_is_spoken_once_sentence_by_sentence(served, robot):
    answers = streamed(served.wyoming, "Hel", "lo there. The s", "un is", " warm. ", "It is 3.", "5 today.")
    start, *chunks, stop, stopped = answers
    assert AudioStart.from_event(start).rate == 22050
    assert AudioStop.is_type(stop.type)
    assert SynthesizeStopped.is_type(stopped.type)
    heard = np.frombuffer(b"".join(AudioChunk.from_event(chunk).audio for chunk in chunks), "<i2")
    parts = ["Hello there. ", "The sun is warm. ", "It is 3.5 today."]
    spoken = [to_pcm(robot.say(text, seed=seed).samples) for seed, text in enumerate(parts)]
    assert np.array_equal(heard[: len(spoken[0])], spoken[0])
    assert np.array_equal(heard[-len(spoken[2]) :], spoken[2])
    silences = len(heard) - sum(map(len, spoken))
    assert 0 < silences <= 2 * 22050 * DeliverySpec().sentence_silence


def test_the_first_sentence_is_heard_while_the_rest_is_written(served):
    async def talk() -> None:
        async with AsyncTcpClient("127.0.0.1", served.wyoming) as client:
            await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name="robot")).event())
            await client.write_event(SynthesizeChunk(text="Hello there. And").event())
            first = await asyncio.wait_for(client.read_event(), 60)
            assert AudioStart.is_type(first.type)
            await client.write_event(SynthesizeStop().event())
            while not SynthesizeStopped.is_type((await asyncio.wait_for(client.read_event(), 60)).type):
                pass

    asyncio.run(talk())


@pytest.mark.parametrize(
    ("pieces", "voice", "word"),
    [
        (["Hi. ", "Ho. "], "alloy", "robot"),
        (["… ", "… "], "robot", "no words"),
        (["word " * 15_000, "word " * 15_000], "robot", "characters"),
    ],
    ids=range(3),
)
def test_pieces_that_cannot_be_said_are_one_error(served, pieces, voice, word):
    answers = streamed(served.wyoming, *pieces, voice=voice)
    (error,) = [Error.from_event(one) for one in answers if Error.is_type(one.type)]
    assert word in error.text
    assert SynthesizeStopped.is_type(answers[-1].type)
