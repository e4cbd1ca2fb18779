"""What all routes share: bodies within limits of size and time, clients that leave, and failures as answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from voxgrad.errors import ExitCode, VoxgradError
from voxgrad.server.service import QueueFullError, UnknownVoiceError
from voxgrad.server.settings import Limits
from voxgrad.system_errors import as_voxgrad_error, is_disk_full
from voxgrad.unicode import whole_characters

_OF_EXIT_CODES = {ExitCode.BAD_INPUT: 400, ExitCode.ENVIRONMENT: 503}
_CODES = {400: "bad_input", 503: "unavailable", 507: "disk_full"}


T = TypeVar("T")


class ClientLeftError(Exception):
    """Nobody listens any more."""


class HTTPError(Exception):
    """What a route refuses.

    Args:
        status: of HTTP.
        message: one line that says what is wrong and how to mend it.
        code: a word for programs.
        parameter: of the request that is wrong.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        parameter: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.parameter = status, message, code, parameter
        self.headers = headers


def error_content(status: int, message: str, code: str | None, parameter: str | None) -> dict[str, object]:
    """OpenAI's form of an error."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    if status == 429:
        kind = "rate_limit_error"
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}


def as_http(error: Exception) -> HTTPError:
    """Any failure as what a client is answered; of a bug, nothing but that it is one."""
    match error:
        case HTTPError():
            found = error
        case QueueFullError():
            headers = {"Retry-After": str(error.retry_after)}
            found = HTTPError(429, f"{str(error).capitalize()}.", code="queue_full", headers=headers)
        case TimeoutError():
            message = "It took too long until there was audio: try again later, or send less text."
            found = HTTPError(503, message, code="timeout", headers={"Retry-After": "10"})
        case UnknownVoiceError():
            found = HTTPError(404, str(error), code="voice_not_found", parameter="voice")
        case VoxgradError():
            status = _OF_EXIT_CODES.get(error.exit_code, 500)
            if isinstance(error.__cause__, OSError) and is_disk_full(error.__cause__):
                status = 507
            found = HTTPError(status, str(error), code=_CODES.get(status, "failed"))
        case _ if (known := as_voxgrad_error(error)) is not None:
            found = as_http(known)
        case _:
            found = HTTPError(500, "Internal error: see the log of the server.", code="internal_error")
    return found


def error_response(error: HTTPError) -> JSONResponse:
    """The answer to a failed request."""
    content = error_content(error.status, error.message, error.code, error.parameter)
    return JSONResponse(content, error.status, error.headers)


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


async def unless_left(request: Request, awaited: Awaitable[T]) -> T:
    """See `unless`; the request's body must have been read."""
    return await unless(_left(request.receive), awaited)


async def unless(left: Coroutine[Any, Any, Any], awaited: Awaitable[T]) -> T:
    """The result of ``awaited``, unless the client leaves before.

    Args:
        left: ends when the client does.
        awaited: cancelled if that is the case.

    Raises:
        ClientLeftError: it did.
    """
    tasks = work, _ = asyncio.ensure_future(awaited), asyncio.create_task(left)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientLeftError
        return work.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _left(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
