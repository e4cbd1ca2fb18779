"""What all routes share: bodies within limits of size and time, clients that leave, and failures as answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from voxgrad.errors import GO_ON, ExitCode, as_voxgrad_error
from voxgrad.server.settings import Limits
from voxgrad.unicode import whole_characters

T = TypeVar("T")
Body = TypeVar("Body", bound=BaseModel)
_DISCARDING: Final = 5.0  # seconds
_MOST_DISCARDED: Final = 64 << 20  # bytes
_STATUSES: Final = {ExitCode.BAD_INPUT: 400, ExitCode.ENVIRONMENT: 503}
_CODES: Final = {400: "bad_input", 503: "unavailable", 507: "disk_full"}


class ClientLeftError(Exception):
    """Nobody listens any more."""


class HTTPError(Exception):
    """What a route refuses.

    Args:
        status: of HTTP.
        message: one line that says what is wrong and how to mend it.
        code: a word for programs.
        parameter: the field of the request that is wrong.
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
        self.status, self.message, self.code, self.headers = status, message, code, headers
        kind = "rate_limit_error" if status == 429 else "invalid_request_error"
        kind = "server_error" if status >= 500 else kind
        self.content = {"error": {"message": message, "type": kind, "param": parameter, "code": code}}
        """OpenAI's form of an error."""


def as_http(error: Exception) -> HTTPError:
    """Any failure as what a client is answered; of a bug, nothing but that it is one."""
    if isinstance(error, HTTPError):
        return error
    if isinstance(error, TimeoutError):
        message = "It took too long until there was audio: try again later, or send less text."
        return HTTPError(503, message, code="timeout", headers={"Retry-After": "10"})
    known = as_voxgrad_error(error)
    if known is None:
        return HTTPError(500, "Internal error: see the log of the server.", code="internal_error")
    # A worker's error comes without its cause; only a full disk has this hint.
    status = 507 if known.hint == GO_ON else _STATUSES.get(known.exit_code, 500)
    return HTTPError(status, str(known), code=_CODES.get(status, "failed"))


def error_response(error: HTTPError) -> JSONResponse:
    """The answer to a failed request."""
    return JSONResponse(error.content, error.status, error.headers)


async def chunks(request: Request, most: int, limits: Limits) -> AsyncIterator[bytes]:
    """A body of at most ``most`` bytes, as it comes.

    Raises:
        HTTPError: 413, it is larger; 408, it stopped coming.
        ClientLeftError: the client left.
    """
    size, body = 0, request.stream()
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told[:20]) > most:
        raise await _too_large(body, most)
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
            raise await _too_large(body, most)
        yield content


async def _too_large(body: AsyncIterator[bytes], most: int) -> HTTPError:
    """Takes a little more: a client that still sends when the connection is closed does not see the answer."""
    discarded = 0
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_DISCARDING):
            async for content in body:
                discarded += len(content)
                if discarded > _MOST_DISCARDED:
                    break
    size = f"{most / 2**20:.0f} MiB" if most >= 2**20 else f"{most} bytes"
    message = f"The body is larger than the limit of {size}."
    return HTTPError(413, message, code="too_large", headers={"Connection": "close"})


async def parsed(request: Request, kind: type[Body], limits: Limits) -> Body:
    """A JSON body.

    Raises:
        HTTPError: 400, it is no JSON object, or a field does not fit; 415, it is not said to be JSON; or as `chunks`.
    """
    # A page of another site can send a form or plain text unasked, but not this.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        message = "The body must be JSON: send the header 'Content-Type: application/json'."
        raise HTTPError(415, message, code="unsupported_media_type")
    content = b"".join([piece async for piece in chunks(request, limits.json_bytes, limits)])
    try:
        return kind.model_validate(json_object(content, "The body"))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][:2])
        problem = first["msg"].removeprefix("Value error, ")
        raise HTTPError(400, f"{name}: {problem}.", code="invalid_value", parameter=name) from error


def json_object(content: bytes, what: str) -> dict[str, Any]:
    """A JSON object without the fields that are null, which mean the default; ``what`` begins the message.

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


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


async def unless_left(request: Request, awaited: Awaitable[T]) -> T:
    """See `unless`; the request's body must have been read."""

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return await unless(left(), awaited)


async def unless(left: Coroutine[Any, Any, Any], awaited: Awaitable[T]) -> T:
    """The result of ``awaited``, which is cancelled if the client leaves before.

    Raises:
        ClientLeftError: ``left`` ended first.
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
