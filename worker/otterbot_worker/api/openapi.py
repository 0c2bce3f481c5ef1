"""The OpenAPI document, made from the routes and the schemas. ``docs/openapi.json`` is its committed copy."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from .. import __version__, schemas
from ..schemas.jobs import ChatEvent, JobEvent, PauseEvent, Problem, ProgressEvent, Snapshot
from .operations import Operation

_REFERENCES = "#/components/schemas/{model}"
_STREAMED = (Snapshot, JobEvent, ProgressEvent, ChatEvent, PauseEvent)


def document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """The whole document as JSON-able objects."""
    components = _components(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, path, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Otterbot worker",
            "version": __version__,
            "description": inspect.cleandoc(schemas.__doc__ or ""),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(components.items())),
        },
    }


def text(operations: tuple[Operation, ...]) -> str:
    return json.dumps(document(operations), indent=1, ensure_ascii=False) + "\n"


def _components(operations: tuple[Operation, ...]) -> dict[str, Any]:
    answers: set[type[BaseModel]] = {
        model
        for operation in operations
        for model in operation.answers.values()
        if isinstance(model, type) and issubclass(model, BaseModel)
    }
    answers.update(_STREAMED, [Problem])
    chosen = sorted(answers, key=lambda model: model.__name__)
    _, made = models_json_schema([(model, "serialization") for model in chosen], ref_template=_REFERENCES)
    components: dict[str, Any] = made["$defs"]
    for operation in operations:
        if operation.body is not None:
            schema = TypeAdapter(operation.body).json_schema(ref_template=_REFERENCES)
            components.update(schema.pop("$defs", {}))
            components[_body_name(operation)] = schema
    return components


def _body_name(operation: Operation) -> str:
    return str(operation.body.__name__) if isinstance(operation.body, type) else "NewJob"


def _operation(operation: Operation, path: str, components: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.handler.__name__,
        "responses": {str(status): _answer(status, answer) for status, answer in sorted(operation.answers.items())},
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": about, "schema": {"type": "string"}}
        for name, about in operation.query.items()
    ]
    parameters += [
        {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}
        for name, about in operation.headers.items()
    ]
    if parameters:
        made["parameters"] = parameters
    if operation.body is not None:
        schema = {"$ref": _REFERENCES.format(model=_body_name(operation))}
        made["requestBody"] = {"required": operation.body_needed, "content": {"application/json": {"schema": schema}}}
    if operation.upload:
        binary = {"schema": {"type": "string", "format": "binary"}}
        made["requestBody"] = {"required": True, "content": dict.fromkeys(operation.upload, binary)}
    if operation.open:
        made["security"] = []
    for status in sorted({*operation.problems, 400, *(() if operation.open else (401,)), 500}):
        schema = {"$ref": _REFERENCES.format(model="Problem")}
        content = {"application/problem+json": {"schema": schema}}
        made["responses"][str(status)] = {"description": "Problem", "content": content}
    return made


def _answer(status: int, answer: type[BaseModel] | str | None) -> dict[str, Any]:
    if answer is None:
        return {"description": "Done"}
    if isinstance(answer, str):
        return {"description": "OK" if status < 400 else "Not now", "content": {answer: {}}}
    schema = {"$ref": _REFERENCES.format(model=answer.__name__)}
    return {"description": "OK", "content": {"application/json": {"schema": schema}}}
