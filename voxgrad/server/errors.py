"""Failures as clients see them: a status, and OpenAI's JSON form."""

from starlette.responses import JSONResponse

from voxgrad.errors import ExitCode, VoxgradError
from voxgrad.files import is_disk_full
from voxgrad.server.speech_service import QueueFullError, UnknownVoiceError

_OF_EXIT_CODES = {ExitCode.BAD_INPUT: 400, ExitCode.ENVIRONMENT: 503}
_CODES = {400: "bad_input", 503: "unavailable", 507: "disk_full"}


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
        case _:
            found = HTTPError(500, "Internal error: see the log of the server.", code="internal_error")
    return found


def error_response(error: HTTPError) -> JSONResponse:
    """The answer to a failed request."""
    content = error_content(error.status, error.message, error.code, error.parameter)
    return JSONResponse(content, error.status, error.headers)
