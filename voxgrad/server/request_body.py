"""Bodies of requests, read within limits of size and time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from voxgrad.server.errors import HTTPError
from voxgrad.server.settings import Limits
from voxgrad.server.speech_response import ClientLeftError
from voxgrad.unicode import whole_characters

_DISCARDING: Final = 5.0  # seconds
_MOST_DISCARDED: Final = 64 << 20  # bytes

Body = TypeVar("Body", bound=BaseModel)


async def chunks(request: Request, most: int, limits: Limits) -> AsyncIterator[bytes]:
    """A body as it comes.

    Args:
        request: that it belongs to.
        most: bytes of it.
        limits: how long a client may pause.

    Raises:
        HTTPError: 413, it is larger; 408, it stopped coming.
        ClientLeftError: the client left.
    """
    size, body = 0, request.stream()
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told[:20]) > most:
        await _discard(body)
        raise _too_large(most)
    while True:
        try:
            async with asyncio.timeout(limits.idle_seconds):
                content = await anext(body, None)
        except TimeoutError as error:
            message = f"The request stopped for {limits.idle_seconds:g} s: send it again."
            raise HTTPError(408, message, code="request_timeout", headers={"Connection": "close"}) from error
        except ClientDisconnect as error:
            raise ClientLeftError from error
        if content is None:
            return
        size += len(content)
        if size > most:
            await _discard(body)
            raise _too_large(most)
        yield content


async def whole(request: Request, most: int, limits: Limits) -> bytes:
    """A body of at most ``most`` bytes; see `chunks`."""
    return b"".join([content async for content in chunks(request, most, limits)])


async def parsed(request: Request, kind: type[Body], limits: Limits) -> Body:
    """A JSON body.

    Raises:
        HTTPError: 400, it is no JSON object, or a field does not fit; 415, it is not said to be JSON; or as `chunks`.
    """
    # A page of another site can send a form or plain text unasked, but not this.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        message = "The body must be JSON: send the header 'Content-Type: application/json'."
        raise HTTPError(415, message, code="unsupported_media_type")
    value = json_object(await whole(request, limits.json_bytes, limits), "The body")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][:2])
        problem = first["msg"].removeprefix("Value error, ")
        raise HTTPError(400, f"{name}: {problem}.", code="invalid_value", parameter=name) from error


def json_object(content: bytes, what: str) -> dict[str, Any]:
    """A JSON object, without the fields that are null: those have their defaults.

    Args:
        content: that a client sent.
        what: the beginning of the message.

    Raises:
        HTTPError: 400, it is none.
    """
    try:
        value: Any = json.loads(content, parse_constant=_no_number)
        value = json.loads(whole_characters(json.dumps(value, ensure_ascii=False)))
        return {name: field for name, field in value.items() if field is not None}
    except (ValueError, AttributeError, RecursionError) as error:
        message = f"{what} is not a JSON object in UTF-8: send one."
        raise HTTPError(400, message, code="invalid_json") from error


async def _discard(body: AsyncIterator[bytes]) -> None:
    """Take a little more: a client that still sends when the connection is closed does not see the answer."""
    size = 0
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_DISCARDING):
            async for content in body:
                size += len(content)
                if size > _MOST_DISCARDED:
                    return


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _too_large(most: int) -> HTTPError:
    size = f"{most / 2**20:.0f} MiB" if most >= 2**20 else f"{most} bytes"
    message = f"The body is larger than the {size} that are taken here."
    return HTTPError(413, message, code="too_large", headers={"Connection": "close"})
