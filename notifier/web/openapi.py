"""The OpenAPI 3.1 document, made from the declared routes; every operation lists its problem documents."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from notifier.web.errors import MEDIA_TYPE, Problem
from notifier.web.routes import JSON, Download, Route

_REF = "#/components/schemas/{model}"
_TOKEN = "bearer"  # noqa: S105 (the scheme's name in the document)
_ABOUT = (
    "Abuse reports in, notices to registries out, outcomes observed. Errors are RFC 9457 problem documents with a "
    "stable `code`. Lists are paged by cursor. A token is sent as `Authorization: Bearer TOKEN`; its role and reach "
    "decide what is seen, and what lies outside them answers 404."
)
_PROBLEMS = {
    401: "The token is missing, unknown, expired or revoked.",
    403: "The role does not allow this act.",
    404: "There is no such thing in your reach.",
    409: "The act does not fit the present state; look again and decide again.",
    413: "The body is too large.",
    415: "The body is of a type that is not taken here.",
    422: "The request cannot be understood, or was refused by rule.",
    429: "A quota is used up. What was sent was kept as refused; send it again later.",
    500: "Something is wrong on our side.",
    503: "Something we need does not answer. Nothing was changed; send it again later.",
}


def document(families: Mapping[str, Sequence[Route]], base: str) -> dict[str, Any]:
    """The document as plain JSON values."""
    routes = [route for family in families.values() for route in family]
    schemas, components = _schemas(routes)
    paths: dict[str, Any] = {}
    for tag, family in families.items():
        for route in family:
            paths.setdefault(base + route.path, {})[route.method.lower()] = {
                "tags": [tag],
                **_operation(route, schemas),
            }
    return {
        "openapi": "3.1.1",
        "info": {"title": "Trusted Notifier", "version": version("trusted-notifier"), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in families],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {f"problem_{code}": _problem(code, text) for code, text in _PROBLEMS.items()},
            "securitySchemes": {_TOKEN: {"type": "http", "scheme": "bearer"}},
        },
    }


_Key = tuple[type[BaseModel], JsonSchemaMode]


def _schemas(routes: Sequence[Route]) -> tuple[dict[_Key, dict[str, Any]], dict[str, Any]]:
    """Schemas by model and direction, and the components that they refer to."""
    wanted: dict[_Key, None] = {(Problem, "serialization"): None}
    for route in routes:
        sent = [route.takes.get("body"), *route.raw.values()]
        wanted |= {(m, "validation"): None for m in sent if isinstance(m, type) and issubclass(m, BaseModel)}
        answers = [m for m in route.answers.values() if m is not None and issubclass(m, BaseModel)]
        wanted |= {(m, "serialization"): None for m in answers}
    found, rest = TypeAdapter.json_schemas(
        [(model, mode, TypeAdapter(model)) for model, mode in wanted], ref_template=_REF
    )
    return {(model, mode): schema for (model, mode), schema in found.items()}, rest.get("$defs", {})


def _operation(route: Route, schemas: Mapping[_Key, dict[str, Any]]) -> dict[str, Any]:
    takes = route.takes
    others = "No token." if route.anonymous else "A token with the permission that is named above; no role implies it."
    roles = f"Roles: {', '.join(route.roles)}." if route.roles else others
    made: dict[str, Any] = {
        "operationId": route.act.__name__,
        "summary": route.summary,
        "description": f"{(route.act.__doc__ or '').strip()}\n\n{roles}",
        "security": [] if route.anonymous else [{_TOKEN: []}],
        "responses": {
            **{str(code): _answer(code, model, schemas) for code, model in route.answers.items()},
            **{str(code): {"$ref": f"#/components/responses/problem_{code}"} for code in sorted(_failures(route))},
        },
    }
    parameters = [
        parameter
        for part, place in (("path", "path"), ("query", "query"), ("headers", "header"))
        if part in takes
        for parameter in _parameters(takes[part], place)
    ]
    if parameters:
        made["parameters"] = parameters
    if "body" in takes:
        made["requestBody"] = {"required": True, "content": _content(route, takes["body"], schemas)}
    return made


def _failures(route: Route) -> set[int]:
    """What can go wrong follows from the shape; the route adds what only it knows."""
    takes = route.takes
    failures = {422, 500, 503, *route.problems}
    if not route.anonymous:
        failures |= {401, 403}
    if "path" in takes:
        failures.add(404)
    if "body" in takes:
        failures |= {413, 415}
    return failures


def _content(route: Route, body: type, schemas: Mapping[_Key, dict[str, Any]]) -> dict[str, Any]:
    if issubclass(body, BaseModel):
        return {JSON: {"schema": schemas[body, "validation"]}}
    return {
        media_type: {"schema": schemas[shape, "validation"] if isinstance(shape, type) else shape}
        for media_type, shape in route.raw.items()
    }


def _answer(
    code: int, model: type[BaseModel] | type[Download] | None, schemas: Mapping[_Key, dict[str, Any]]
) -> dict[str, Any]:
    described = {"description": HTTPStatus(code).phrase}
    if model is None:
        return described
    if not issubclass(model, BaseModel):
        return {
            **described,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    return {**described, "content": {JSON: {"schema": schemas[model, "serialization"]}}}


def _problem(code: int, text: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model=Problem.__name__)}}},
    }
    if code == 401:
        made["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    if code in (429, 503):
        made["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return made


def _parameters(model: type[BaseModel], place: str) -> Iterator[dict[str, Any]]:
    whole = model.model_json_schema(by_alias=True)
    for name, schema in whole["properties"].items():
        plain = _inlined(schema, whole.get("$defs", {}))
        yield {
            "name": name,
            "in": place,
            "required": name in whole.get("required", ()),
            "description": plain.pop("description", ""),
            "schema": plain,
        }


def _inlined(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's own schema: an absent parameter is absent, never null."""
    made = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    forms = [form for form in made.pop("anyOf", []) if form.get("type") != "null"]
    for form in forms:
        made |= form
    if "$ref" in made:
        made = {**definitions[made.pop("$ref").rpartition("/")[2]], **made}
    return made
