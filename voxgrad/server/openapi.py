"""The OpenAPI document of the speech routes, made from the models of their requests and answers."""

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

import voxgrad
from voxgrad.server.encoders import MEDIA_TYPES
from voxgrad.server.http import ErrorBody
from voxgrad.server.speech_api import AudioDelta, AudioDone, ModelInfo, ModelList, SpeechRequest, VoiceList

_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_ERRORS: Final = {
    "400": "The request cannot be used.",
    "401": "A token is needed.",
    "403": "The host name, or the site of a page, is not allowed.",
    "404": "There is no such voice or model.",
    "413": "The body is too large.",
    "415": "The body is not declared as JSON.",
    "429": "The queue is full: try again later.",
    "503": "A worker failed, or the audio took too long to begin.",
}


class Health(BaseModel):
    """The server takes requests."""

    status: str = "ok"
    workers: int
    """Processes that speak."""
    waiting: int
    """Passages and checks that no worker has begun."""


@dataclass(frozen=True)
class _Operation:
    method: str
    path: str
    summary: str
    answer: dict[str, Any]
    """The content of status 200."""
    errors: tuple[str, ...] = ("401", "403")
    body: type[BaseModel] | None = None
    example: dict[str, Any] = field(default_factory=dict)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {_JSON: {"schema": _schema(model)}}


_AUDIO: Final = {"schema": {"type": "string", "format": "binary"}}
_OPERATIONS: Final = (
    _Operation(
        "post",
        "/v1/audio/speech",
        "Speak a text. The audio is sent while it is made.",
        dict.fromkeys(MEDIA_TYPES.values(), _AUDIO)
        | {_EVENTS: {"schema": {"anyOf": [_schema(model) for model in (AudioDelta, AudioDone, ErrorBody)]}}},
        tuple(_ERRORS),
        SpeechRequest,
        {"input": "Good morning.", "response_format": "mp3"},
    ),
    _Operation("get", "/v1/audio/voices", "The newest version of every voice and base.", _json(VoiceList)),
    _Operation(
        "get",
        "/v1/audio/options",
        "The options of speech, as the properties of a JSON Schema.",
        {_JSON: {"schema": {"type": "object"}}},
    ),
    _Operation("get", "/v1/models", "The models, which are qualities of speech.", _json(ModelList)),
    _Operation("get", "/v1/models/{model}", "One model.", _json(ModelInfo), ("401", "403", "404")),
    _Operation("get", "/healthz", "The server takes requests.", _json(Health), ("403",)),
    _Operation("get", "/metrics", "Metrics for Prometheus.", {"text/plain": {"schema": {"type": "string"}}}),
)


def document() -> dict[str, Any]:
    """The document, in version 3.1 of OpenAPI."""
    answers: tuple[type[BaseModel], ...] = (AudioDelta, AudioDone, VoiceList, ModelList, ModelInfo, Health, ErrorBody)
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(SpeechRequest, "validation")]
    modes += [(model, "serialization") for model in answers]
    _, schemas = models_json_schema(modes, ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "voxgrad",
            "version": voxgrad.__version__,
            "description": "Speech, as OpenAI's route has it.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],  # a server that only its own computer reaches needs no token
    }


def _described(operation: _Operation) -> dict[str, Any]:
    errors = {status: {"description": _ERRORS[status], "content": _json(ErrorBody)} for status in operation.errors}
    told: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {"200": {"description": "The answer.", "content": operation.answer}, **errors},
    }
    if "{model}" in operation.path:
        told["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]
    if operation.body is not None:
        content = {"schema": _schema(operation.body), "example": operation.example}
        told["requestBody"] = {"required": True, "content": {_JSON: content}}
    return told
