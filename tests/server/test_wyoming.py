"""The Wyoming protocol, by the package's own client; and clients that do not speak it."""

import asyncio
import socket

import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from voxgrad.audio.writers import to_pcm
from voxgrad.settings import DeliverySpec
from voxgrad.speech.load import load_speaker
from voxgrad.store import Store


async def conversation(port: int, *events) -> list:
    answers = []
    async with AsyncTcpClient("127.0.0.1", port) as client:
        for event in events:
            await client.write_event(event.event())
            while (answer := await asyncio.wait_for(client.read_event(), 60)) is not None:
                answers.append(answer)
                if Info.is_type(answer.type) or AudioStop.is_type(answer.type) or Error.is_type(answer.type):
                    break
    return answers


def test_home_assistant_finds_the_voices_and_speaks(served):
    text = "Hello there. The sun is warm."
    asked = Synthesize(text=text.replace("sun", "{sun} (λόγος)"), voice=SynthesizeVoice(name="robot"))
    info, *audio = asyncio.run(conversation(served.wyoming, Describe(), asked))
    (program,) = Info.from_event(info).tts
    assert {"robot", "english"} <= {voice.name for voice in program.voices}
    assert all(voice.languages == ["en_US"] for voice in program.voices)
    start, *chunks, stop = audio
    assert AudioStart.from_event(start).rate == 22050
    assert AudioStop.is_type(stop.type)
    heard = b"".join(AudioChunk.from_event(chunk).audio for chunk in chunks)
    expected = load_speaker(Store.open(served.home), "robot", None, None, engine="torch")[0].say(text)
    assert np.array_equal(np.frombuffer(heard, "<i2"), to_pcm(expected.samples))


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (Synthesize(text="Hi.", voice=SynthesizeVoice(name="alloy")), "robot"),
        (Synthesize(text="Hi.", voice=SynthesizeVoice(name="english", speaker="nobody")), "nobody"),
        (
            Synthesize(text="… 你好", voice=SynthesizeVoice(name="robot")),
            "no words to speak, only Chinese letters",
        ),
        (Synthesize(text="x" * 100_001, voice=SynthesizeVoice(name="robot")), "characters"),
    ],
    ids=range(4),
)
def test_what_cannot_be_said_is_an_error_and_the_connection_stays(served, asked, word):
    answers = asyncio.run(conversation(served.wyoming, asked, Describe()))
    assert word in Error.from_event(answers[0]).text
    assert Info.is_type(answers[1].type)


@pytest.mark.parametrize(
    "content",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b'{"type": "synthesize"}\n',
        b'{"type": "synthesize", "data": {"text": 5}}\n',
        b'{"type": "describe", "data_length": 99999999999}\n' + b"x" * 1000,
        b'{"type": "describe", "payload_length": "many"}\n',
        b"x" * 200_000,
    ],
    ids=range(10),
)
def test_who_does_not_speak_it_harms_nobody(served, content):
    with socket.create_connection(("127.0.0.1", served.wyoming), timeout=10) as connection:
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1000):
                pass
        except OSError:  # the server may have hung up
            pass
    assert Info.is_type(asyncio.run(conversation(served.wyoming, Describe()))[0].type)
    assert served.metric("voxgrad_requests_active") == 0


async def streamed(port: int, *pieces: str, voice: str = "robot") -> list:
    answers = []
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name=voice)).event())
        for piece in pieces:
            await client.write_event(SynthesizeChunk(text=piece).event())
        await client.write_event(Synthesize(text="".join(pieces)).event())
        await client.write_event(SynthesizeStop().event())
        while (answer := await asyncio.wait_for(client.read_event(), 60)) is not None:
            answers.append(answer)
            if SynthesizeStopped.is_type(answer.type):
                break
    return answers


def test_a_text_that_comes_in_pieces_is_spoken_once_sentence_by_sentence(served):
    answers = asyncio.run(
        streamed(served.wyoming, "Hel", "lo there. The s", "un is", " warm. ", "It is 3.", "5 today.")
    )
    start, *chunks, stop, stopped = answers
    assert AudioStart.from_event(start).rate == 22050
    assert AudioStop.is_type(stop.type)
    assert SynthesizeStopped.is_type(stopped.type)
    heard = np.frombuffer(b"".join(AudioChunk.from_event(chunk).audio for chunk in chunks), "<i2")
    speaker = load_speaker(Store.open(served.home), "robot", None, None, engine="torch")[0]
    parts = ["Hello there. ", "The sun is warm. ", "It is 3.5 today."]
    spoken = [to_pcm(speaker.say(text, seed=seed).samples) for seed, text in enumerate(parts)]
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
    answers = asyncio.run(streamed(served.wyoming, *pieces, voice=voice))
    (error,) = [Error.from_event(one) for one in answers if Error.is_type(one.type)]
    assert word in error.text
    assert SynthesizeStopped.is_type(answers[-1].type)
