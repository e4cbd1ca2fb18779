"""Wyoming's events as clients send them: read within limits of size and time, and checked."""

import asyncio
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field
from wyoming.event import Event

from voxgrad.errors import BadInputError
from voxgrad.presets import validated
from voxgrad.server.errors import HTTPError
from voxgrad.server.request_body import json_object
from voxgrad.server.settings import Limits

_IDLE_SECONDS: Final = 60.0  # between two events of a client

Name = Annotated[str, Field(max_length=200)]
Length = Annotated[int, Field(ge=0)]


class NoEndError(HTTPError):
    """A malformed event of which it cannot be told where the next one begins."""


class VoiceData(BaseModel):
    """A voice that is asked for: one of those that the server has told."""

    name: Name | None = None
    speaker: Name | None = None


class StartData(BaseModel):
    """Of ``synthesize-start``."""

    voice: VoiceData | None = None


class ChunkData(BaseModel):
    """Of ``synthesize-chunk``."""

    text: str


class SynthesizeData(StartData, ChunkData):
    """Of ``synthesize``."""


class _Header(BaseModel):
    """The line that an event begins with."""

    type: str
    data: dict[str, Any] = {}
    data_length: Length = 0
    payload_length: Length = 0


async def read_event(reader: asyncio.StreamReader, limits: Limits) -> Event | None:
    """The next event of a client, without its payload, which none of those that are answered has.

    Args:
        reader: of the client.
        limits: how much may come, and how long it may take.

    Returns:
        None where the client has left.

    Raises:
        HTTPError: what came is no event; the next one can be read.
        NoEndError: nor can the next one.
        TimeoutError: nothing came for too long.
    """
    try:
        async with asyncio.timeout(_IDLE_SECONDS):
            line = await reader.readline()
    except ValueError as error:
        raise NoEndError(400, "The line that begins an event is too long.", code="too_large") from error
    if not line:
        return None
    content = json_object(line, "The event")
    try:
        header = validated(_Header, content, "the event")
    except BadInputError as error:
        if {"data_length", "payload_length"} & content.keys():
            raise NoEndError(400, str(error), code="bad_input") from error
        raise
    if header.data_length + header.payload_length > limits.json_bytes:
        message = f"The event is larger than the {limits.json_bytes} bytes that are taken here."
        raise NoEndError(400, message, code="too_large")
    async with asyncio.timeout(limits.idle_seconds):
        data = await reader.readexactly(header.data_length)
        await reader.readexactly(header.payload_length)
    more = json_object(data, "The data of the event") if data else {}
    return Event(header.type, {**header.data, **more})
