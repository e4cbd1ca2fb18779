"""What keeps other sites and strangers out: checks of Host, Origin and token, and headers of every answer."""

import hmac
import ipaddress
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voxgrad.errors import BadInputError
from voxgrad.server.http import HTTPError, error_response
from voxgrad.server.metrics import Metrics
from voxgrad.server.settings import ServerSettings

_OPEN: Final = ("/", "/healthz")
_OPEN_BELOW: Final = "/page/"
"""What is answered without a token: the page itself, which has no secrets, and whether the server runs."""

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


def check_settings(settings: ServerSettings) -> None:
    """See that nobody is let in from other machines by mistake.

    Raises:
        BadInputError: the server would be open to other machines without a token.
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

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
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
                self._metrics.requests.labels(endpoint, message["status"]).inc()
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
        if origin not in self._origins and not _is_same(origin, host):
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


def _is_same(origin: str, host: str) -> bool:
    """Whether a page of ``origin`` came from this server; a proxy may have added TLS, so the scheme does not count."""
    scheme, separator, rest = origin.partition("://")
    return bool(separator) and scheme in {"http", "https"} and rest.lower() == host.lower()
