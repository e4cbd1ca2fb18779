"""What all routes share: access checks, limits of bodies, clients that disconnect, and errors as responses."""

import asyncio
import hmac
import ipaddress
import json
import re
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from prometheus_client import Counter
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxgrad.errors import GO_ON, BadInputError, ExitCode, as_voxgrad_error
from voxgrad.server.settings import Limits, ServerSettings
from voxgrad.unicode import whole_characters

T = TypeVar("T")
Body = TypeVar("Body", bound=BaseModel)
_DISCARDING: Final = 5.0  # seconds
_MOST_DISCARDED: Final = 64 << 20  # bytes
_STATUSES: Final = {ExitCode.BAD_INPUT: 400, ExitCode.ENVIRONMENT: 503}
_CODES: Final = {400: "bad_input", 503: "unavailable", 507: "disk_full"}
_OPEN: Final = ("/", "/docs", "/openapi.json", "/healthz")
_OPEN_BELOW: Final = "/page/"
"""What is answered without a token: the page itself and the document, which have no secrets, and whether it runs."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
_HOST: Final = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")
_LOOPBACK: Final = "localhost"


class ClientLeftError(Exception):
    """The client has disconnected."""


class ErrorDetail(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """OpenAI's form of an error."""

    error: ErrorDetail


class HTTPError(Exception):
    """An error response: one line that says what is wrong and what to do, and a ``code`` for programs.

    ``parameter`` is the field of the request that is wrong.
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
        detail = ErrorDetail(message=message, type=kind, param=parameter, code=code)
        self.content: dict[str, Any] = ErrorBody(error=detail).model_dump()


def as_http(error: Exception) -> HTTPError:
    """Any exception as an error response; a bug is reported without details."""
    if isinstance(error, HTTPError):
        return error
    if isinstance(error, TimeoutError):
        message = "The audio took too long to begin: try again later, or send less text."
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
    """A body of at most ``most`` bytes, in chunks as they arrive.

    Raises:
        HTTPError: 413, it is larger; 408, it stopped arriving.
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
            message = f"The request sent nothing for {limits.idle_seconds:g} s: send it again."
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


async def parsed(request: Request, kind: type[Body]) -> Body:
    """A JSON body.

    Raises:
        HTTPError: 400, it is not a JSON object, or a field is invalid; 415, it is not declared as JSON; or as `chunks`.
    """
    # A page of another site can send a form or plain text unasked, but not this.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        message = "The body must be JSON: send the header 'Content-Type: application/json'."
        raise HTTPError(415, message, code="unsupported_media_type")
    limits: Limits = request.app.state.settings.limits
    content = b"".join([piece async for piece in chunks(request, limits.json_bytes, limits)])
    try:
        return kind.model_validate(json_object(content, "The body"))
    except ValidationError as error:
        first = error.errors()[0]
        field, *inside = first["loc"]  # pydantic's name of a type of several stands there like a field
        name = ".".join([str(field), *(str(part) for part in inside[:1] if isinstance(part, int))])
        problem = first["msg"].removeprefix("Value error, ")
        raise HTTPError(400, f"{name}: {problem}.", code="invalid_value", parameter=name) from error


def json_object(content: bytes, what: str) -> dict[str, Any]:
    """A JSON object without the fields that are null, which mean the default; ``what`` begins the message.

    Raises:
        HTTPError: 400, it is not a JSON object.
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


def check_settings(settings: ServerSettings) -> None:
    """Check that other machines do not get access by mistake.

    Raises:
        BadInputError: other machines could use the server without a token.
    """
    try:
        is_loopback = ipaddress.ip_address(settings.host.strip("[]")).is_loopback
    except ValueError:
        is_loopback = settings.host.lower() == _LOOPBACK
    if settings.token is None and not is_loopback:
        raise BadInputError(
            f"{settings.host} is reachable from other machines, but no token is set",
            "Give --token, or set VOXGRAD_TOKEN, to 16 or more characters; or leave out --host.",
        )


class Protection:
    """ASGI middleware around the whole application, which counts every answer too."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, answered: Counter) -> None:
        self._app, self._answered = app, answered
        self._token = None if settings.token is None else settings.token.encode()
        self._origins = frozenset(settings.allowed_origins)
        self._with_cors: ASGIApp = self._with_token
        if self._origins:
            # Between the two: a browser asks without a token what it may send, and its page may read every refusal.
            self._with_cors = CORSMiddleware(
                self._with_token,
                allow_origins=tuple(self._origins),
                allow_methods=("GET", "POST", "PUT", "DELETE"),
                allow_headers=["*"],
                allow_private_network=True,
                expose_headers=("Retry-After",),
            )
        names = (_LOOPBACK, settings.host, *settings.allowed_hosts)
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on; the answer gets the headers of all answers."""
        if scope["type"] != "http":
            if scope["type"] != "websocket":
                await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                endpoint = getattr(scope.get("endpoint"), "__name__", "none")
                self._answered.labels(endpoint, message["status"]).inc()
            await send(message)

        try:
            self._check_origin(Headers(scope=scope))
        except HTTPError as error:
            await error_response(error)(scope, receive, send_protected)
        else:
            await self._with_cors(scope, receive, send_protected)

    async def _with_token(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._may_enter(scope["path"], Headers(scope=scope).get("authorization", "")):
            await self._app(scope, receive, send)
            return
        message = "A token is needed: send the header 'Authorization: Bearer TOKEN'."
        refusal = HTTPError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
        await error_response(refusal)(scope, receive, send)

    def _may_enter(self, path: str, authorization: str) -> bool:
        if self._token is None or path in _OPEN or path.startswith(_OPEN_BELOW):
            return True
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token)

    def _check_origin(self, headers: Headers) -> None:
        host = _only(headers.getlist("host"), "Host")
        parts = _HOST.fullmatch(host)
        if parts is None or not self._is_ours(parts["name"]):
            message = "This server does not accept that host name: start it with --allow-host NAME."
            raise HTTPError(403, message, code="host_not_allowed")
        origins = headers.getlist("origin")
        if not origins:
            return
        origin = _only(origins, "Origin")
        scheme, _, name = origin.partition("://")  # a proxy may have added TLS
        is_same = scheme in {"http", "https"} and name.lower() == host.lower()
        if origin not in self._origins and not is_same:
            message = "Requests from pages of other sites are refused: start the server with --allow-origin ORIGIN."
            raise HTTPError(403, message, code="origin_not_allowed")

    def _is_ours(self, name: str) -> bool:
        """An address cannot be rebound as a name can (DNS rebinding); of names, only known ones count."""
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower().rstrip(".") in self._names
        return True


def _only(values: list[str], name: str) -> str:
    if len(values) != 1:
        raise HTTPError(400, f"A request may have only one {name} header.", code="invalid_header")
    return values[0]
