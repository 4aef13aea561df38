"""The arguments, bodies and results of operations, and which operations are refused."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import names
from python_types import GivenTypes, Types, literal
from spec import component, innermost, members, only, operations, references, target, without

Problems = Iterator[tuple[str, str]]

FORM, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
# Of media types, whose case does not matter.
JSON = r"(?i)(application|text)/([^;]+\+)?json *(;|$)"
TEXT = r"(?i)text/(?!event-stream|\*)|application/sdp\b"
BYTES = r"(?i)application/octet-stream\b|(audio|image|video)/[^*]"
# Any other that ends.
ENDS = r"(?i)(?!text/event-stream)"
SCALARS = {"string", "integer", "number", "boolean"}
# The arguments of every method.
TAKEN = {"self", "headers", "timeout"}
DEFAULT_HOST = "https://api.openai.com/v1"


def describe(document: dict[str, Any]) -> None:
    """Add to each operation of an annotated document what the templates print of it."""
    schemas = document["components"]["schemas"]
    for place, operation in operations(document):
        arguments = list(_arguments(operation, schemas))
        arguments.sort(key=lambda argument: not argument["is_required"])
        operation["x-method"] = names.method_name(operation["operationId"])
        operation["x-api"] = names.api_name(operation["tags"][0])
        path = place.partition(" ")[2]
        operation["x-page-path"] = path.replace("|", "\\|")
        # Some documents tell operations apart by a query, or a fragment, which is never sent.
        path, _, fixed = path.partition("#")[0].partition("?")
        operation["x-path"] = literal(path)
        operation["x-arguments"] = arguments
        operation["x-sent"] = _sent(operation, arguments, document)
        query = operation["x-sent"].get("query", [])
        taken = list(map(itemgetter("key"), query))
        for name, value in parse_qsl(fixed, keep_blank_values=True):
            # An argument of this name is the stronger statement.
            if literal(name) not in taken:
                query.append({"key": literal(name), "name": literal(value), "is_joined": False})
        operation["x-sent"]["query"] = query
        _describe_answer(operation, schemas)
    host = default_host(document)
    if host != DEFAULT_HOST and any(operations(document)):
        document["x-host"] = literal(host)
        # By name, because mypy and pyright differ in what hides a name that `*` has, too.
        own = {"ApiClient", "Configuration"}
        document["x-shared"] = sorted({*names.shared.__all__} - own)
    document["x-page-host"] = f"`{host}`" if host else "the server's URL"


def default_host(document: dict[str, Any]) -> str:
    """Return the URL of the first server, or an empty string where the document has none."""
    servers = document.get("servers") or [{"url": ""}]
    server: dict[str, Any] = servers[0]
    url = str(server["url"])
    for name, variable in server.get("variables", {}).items():
        url = url.replace(f"{{{name}}}", str(variable["default"]))
    # A relative URL means the server of the document, which the client does not know.
    if urlsplit(url).netloc:
        return url
    return ""


# Arguments


def _arguments(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    types = ArgumentTypes(schemas)
    for parameter in operation.get("parameters", []):
        schema = {**parameter.get("schema", {}), **only(parameter, ["deprecated"])}
        schema["description"] = parameter.get("description", "")
        # A path without one of its parts would be another.
        is_required = parameter.get("required", False) or parameter["in"] == "path"
        argument = _argument(parameter["in"], parameter["name"], schema, is_required, types)
        # A list is a parameter for each item, unless it is to be one.
        argument["is_joined"] = "items" in schema and parameter.get("explode") is False
        yield argument
    body = operation.get("requestBody", {})
    media_type, media = _body(operation)
    types.has_files = media_type == FORM
    if media_type in (FORM, URLENCODED):
        form = target(media.get("schema", {}), schemas)
        for field, schema in form.get("properties", {}).items():
            argument = _argument("part", field, schema, field in form.get("required", []), types)
            encoding = media.get("encoding", {}).get(field, {})
            argument["media_type"] = _part_type(schema, encoding, schemas)
            yield argument
    elif media_type:
        schema = {**media.get("schema", {}), "description": body.get("description", "")}
        argument = _argument("body", "body", schema, body.get("required", False), types)
        if not re.match(JSON, media_type):
            argument["annotation"] = "bytes"
            if re.match(TEXT, media_type):
                argument["annotation"] = "str"
            if not argument["is_required"]:
                argument["annotation"] += " | None"
        yield argument


def _argument(
    where: str, name: str, schema: dict[str, Any], is_required: bool, types: ArgumentTypes
) -> dict[str, Any]:
    annotation, default = types.of(schema), ""
    # `None` leaves an argument out of the request.
    if not is_required:
        annotation, default = f"{annotation} | None", " = None"
    return {
        "in": where,
        "name": names.argument_name(name),
        "wire": name,
        "key": literal(name),
        "schema": schema,
        "text": " ".join(schema.get("description", "").split()),
        "is_required": is_required,
        "annotation": annotation,
        "default": default,
    }


class ArgumentTypes(GivenTypes):
    """The types of arguments: of an object, also the dictionary; binary text may be a file."""

    has_files = False

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas

    def of(self, schema: dict[str, Any]) -> str:
        if self.has_files and is_file(schema):
            return "File"
        return super().of(schema)

    def of_class(self, name: str) -> str:
        if "enum" in self.schemas[name]:
            return f"{name} | {self.of_enum(self.schemas[name])}"
        return f"{name} | params.{name}Param"


def is_file(schema: dict[str, Any]) -> bool:
    """Return whether a part of a form is a file."""
    # OpenAPI 3.1 says it by `contentMediaType`, 3.0 by `format: binary`.
    if "contentMediaType" in schema and "contentEncoding" not in schema:
        return True
    return bool(schema.get("format") == "binary")


def _body(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the media type in which the body is sent, and what stands there."""
    content = operation.get("requestBody", {}).get("content", {})
    # Of several, the first that needs least of a caller.
    for pattern in (JSON, FORM, URLENCODED, TEXT, BYTES):
        for media_type, media in content.items():
            if re.match(pattern, media_type):
                return media_type, media
    return "", {}


def _part_type(schema: dict[str, Any], encoding: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return the media type of a part of a form, by default as OpenAPI says."""
    if "contentType" in encoding:
        return str(encoding["contentType"]).split(",")[0]
    schema = innermost(schema)
    if is_file(schema):
        return "application/octet-stream"
    if _is_scalar(schema, schemas):
        return "text/plain"
    return "application/json"


def _sent(
    operation: dict[str, Any], arguments: list[dict[str, Any]], document: dict[str, Any]
) -> dict[str, Any]:
    """Return what a method gives to `ApiClient.call`, as source, and the arguments by place."""
    sent: dict[str, Any] = {"accept": literal(", ".join(_content(operation)) or "application/json")}
    for argument in arguments:
        sent.setdefault(argument["in"], []).append(argument)
    media_type, _ = _body(operation)
    if media_type == FORM:
        sent["parts"] = sent.pop("part")
        # A request without the other parts may send this one as its body.
        bare = {part["media_type"] for part in sent["parts"]}
        bare &= operation["requestBody"]["content"].keys()
        if bare:
            sent["raw_type"] = literal(min(bare))
    elif media_type == URLENCODED:
        sent["form"] = sent.pop("part")
    elif media_type and media_type != "application/json":
        sent["content_type"] = literal(media_type)
    key = _key(operation, document)
    if key is not None:
        sent["key"] = literal(key)
    return sent


def _key(operation: dict[str, Any], document: dict[str, Any]) -> tuple[str, str] | None:
    """Return where the key goes, a header or the query and its name; `None` for a bearer token."""
    requirements = operation.get("security", document.get("security"))
    if requirements is None:
        return None
    schemes = document["components"].get("securitySchemes", {})
    for requirement in requirements:
        # Of the alternatives, the first that needs no second key. One token may be for several.
        places = set(map(_key_place, only(schemes, requirement).values()))
        if len(places) == 1 and places != {("", "")}:
            return places.pop()
    return ("", "")


def _key_place(scheme: dict[str, Any]) -> tuple[str, str] | None:
    """Return where the key of a security scheme goes, or that no client can send it."""
    if scheme.get("type") == "apiKey" and scheme["in"] in ("header", "query"):
        return scheme["in"], scheme["name"]
    # All of these send a token in the header `Authorization`.
    is_bearer = scheme.get("type") == "http" and scheme["scheme"].lower() == "bearer"
    if is_bearer or scheme.get("type") in ("oauth2", "openIdConnect"):
        return None
    return ("", "")


# Answers


def _successes(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the answers of success by their status."""
    responses = operation.get("responses", {})
    successes = {
        status: response for status, response in responses.items() if status.startswith("2")
    }
    # Older documents often list the errors of an operation alone.
    if responses and all(status[:1] in ("4", "5") for status in responses):
        successes = {"2XX": {}}
    return successes or only(responses, ["default"])


def unite_answers(operation: dict[str, Any]) -> None:
    """Make one answer of several with JSON or nothing in them: a method has one type of result."""
    successes = _successes(operation)
    headers: dict[str, Any] = {}
    results: list[Any] = []
    media_types: list[str] = []
    for answer in successes.values():
        headers |= answer.get("headers", {})
        content = answer.get("content", {})
        found = list(filter(re.compile(JSON).match, content))
        # Text and bytes are no JSON; the rules refuse them beside it.
        if content and not found:
            return
        media_types += found
        for media in only(content, found).values() or [{"schema": {"type": "null"}}]:
            schema = media.get("schema", {})
            if schema not in results:
                results.append(schema)
    if len(successes) > 1:
        status, first = next(iter(successes.items()))
        schema = {"description": first.get("description", ""), "anyOf": results}
        united = {**first, "headers": headers}
        united["content"] = {name: {"schema": schema} for name in media_types}
        operation["responses"] = {status: united, **without(operation["responses"], *successes)}


def _content(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the media types of a success that are read: JSON, else text, else bytes."""
    for answer in _successes(operation).values():
        # The rules let the others only repeat the first.
        content: dict[str, Any] = answer.get("content", {})
        for pattern in (JSON, TEXT, ENDS):
            media_types = [name for name in content if re.match(pattern, name)]
            if media_types:
                return only(content, media_types)
        return {}
    return {}


def _describe_answer(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say what a method returns: as Python, for the page, and how it is made from the body."""
    status, answer = next(iter(_successes(operation).items()))
    # `default` stands for the errors, too.
    operation["x-status"] = status.replace("default", "2XX")
    operation["x-status-text"] = " ".join(answer.get("description", "").split())
    # The header `Location` has the id of what was created.
    operation["x-created"] = "Location" in answer.get("headers", {})
    media_type, media = next(iter(_content(operation).items()), ("", {}))
    schema: dict[str, Any] = media.get("schema", {})
    if not media_type:
        returns, decode = "None", "lambda _: None"
    elif re.match(JSON, media_type):
        returns = Types().held(schema)
        decode = f"decoder({returns})"
    elif re.match(TEXT, media_type):
        returns, decode = "str", "bytes.decode"
    else:
        returns, decode = "bytes", "bytes"
    operation["x-returns"] = returns
    operation["x-decode"] = decode
    operation["x-returns-class"] = next(references(schema), None)
    # The classes that the signature names.
    classes = set[str]()
    for user in (*operation["x-arguments"], *_content(operation).values()):
        classes.update(references(user.get("schema", {})))
    operation["x-imports"] = names.imports(classes)
    operation["x-has-result"] = operation["x-created"] or returns != "None"


# Rules


def problems(document: dict[str, Any]) -> Problems:
    """Yield what no method can be made of: place and reason."""
    for number, server in enumerate(document.get("servers", [])):
        url = str(server.get("url", ""))
        rest = url
        for name in server.get("variables", {}):
            rest = rest.replace(f"{{{name}}}", "")
        # A brace that is left begins or ends no variable that is known.
        if re.search("[{}]", rest):
            yield f"servers[{number}]", f"{url!r} has a variable without a value"
    for place, operation in operations(document):
        yield from _check_parameters(place, operation, document)
        yield from _check_body(place, operation, document)
        yield from _check_answer(place, operation)
        yield from _check_security(place, operation, document)


def _check_parameters(place: str, operation: dict[str, Any], document: dict[str, Any]) -> Problems:
    schemas = document["components"]["schemas"]
    # The names in braces for which no parameter was found yet.
    in_path = set(re.findall(r"{(.*?)}", place))
    for parameter in operation.get("parameters", []):
        where = f"{place} {parameter['name']}"
        schema = parameter["schema"]
        if parameter["in"] == "query" and "items" in target(schema, schemas):
            if not _is_scalar(target(schema, schemas)["items"], schemas):
                yield where, "the items of a list are strings, numbers or booleans"
        elif not _is_scalar(schema, schemas):
            yield where, "a parameter is a string, a number or a boolean; in the query, or a list"
        if parameter["in"] == "path" and f"{{{parameter['name']}}}" not in place:
            yield where, "is not in the path"
        in_path.discard(parameter["name"])
    for name in sorted(in_path):
        yield place, f"the path has {{{name}}}, which is not a parameter"
    if not re.fullmatch(r"\w+ /(?!/)([^{}]|{[^{}]*})*", place):
        yield place, "a path begins with one `/`, and its braces are in pairs"
    taken = set(TAKEN)
    for argument in _arguments(operation, schemas):
        name = argument["name"]
        if not name.isidentifier():
            yield f"{place} {argument['wire']}", "no Python name can be made of it"
        elif name in taken:
            yield place, f"a second argument would be called {name}"
        taken.add(name)


def _is_scalar(schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    schema = target(schema, schemas)
    if members(schema):
        return all(_is_scalar(member, schemas) for member in members(schema))
    # An empty one is text, or what its text can be made of.
    is_any = not schema.keys() & {"type", "properties"}
    return is_any or schema.get("type") in SCALARS


def _check_body(place: str, operation: dict[str, Any], document: dict[str, Any]) -> Problems:
    if "requestBody" not in operation:
        return
    schemas = document["components"]["schemas"]
    content = operation["requestBody"].get("content", {})
    where = f"{place} requestBody"
    media_type, media = _body(operation)
    if not content:
        yield where, "it has no content"
    elif not media_type:
        yield where, f"{', '.join(content)} cannot be sent; only JSON, forms and text"
    elif media_type in (FORM, URLENCODED):
        fields = target(media.get("schema", {}), schemas).get("properties")
        if not fields:
            yield where, "a form is an object with properties"
            return
        for field, schema in fields.items():
            if media_type == URLENCODED or "items" in target(schema, schemas):
                item = target(schema, schemas).get("items", schema)
                is_object = component(item) and media_type == FORM
                if not (_is_scalar(item, schemas) or is_object):
                    yield f"{where} {field}", "cannot be sent in a form"


def _check_answer(place: str, operation: dict[str, Any]) -> Problems:
    successes = _successes(operation)
    if not successes:
        yield place, "there is no successful response (2XX); add one"
        return
    # A method returns one type.
    contents = [answer.get("content", {}) for answer in successes.values()]
    if contents.count(contents[0]) < len(contents):
        yield place, f"responses {', '.join(successes)} differ; a method returns one"
    where = f"{place} {next(iter(successes))}"
    parsed = _content(operation)
    if contents[0] and not parsed:
        yield where, f"{', '.join(contents[0])} cannot be read: it has no end"
    schemas = [media.get("schema", {}) for name, media in parsed.items() if re.match(JSON, name)]
    if schemas and schemas.count(schemas[0]) < len(schemas):
        yield where, "several media types with different schemas"


def _check_security(place: str, operation: dict[str, Any], document: dict[str, Any]) -> Problems:
    requirements: Iterable[Any] = operation.get("security", document.get("security")) or []
    # An empty one says that a request without a key is answered, too.
    asked = list(filter(None, requirements))
    for name in dict.fromkeys(itertools.chain(*asked)):
        if name not in document["components"].get("securitySchemes", {}):
            yield place, f"security {name}: there is no security scheme of this name"
            return
    if asked and _key(operation, document) == ("", "") and asked == list(requirements):
        schemes = ", ".join(" and ".join(requirement) for requirement in asked)
        yield place, f"security {schemes}: only one key is sent, in a header or the query"
