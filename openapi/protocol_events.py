"""Unions of events, and the connections that carry them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import names
from openai_realtime_client import shared
from openai_realtime_client.realtime.endpoint import Settings
from operations import DEFAULT_HOST, default_host
from python_types import literal
from spec import (
    component,
    connected_client,
    event_unions,
    mapped,
    members,
    references,
    target,
    walk,
)

Problems = Iterator[tuple[str, str]]


def describe(document: dict[str, Any]) -> None:
    """Add to unions of events, and to their members, what the templates print of them."""
    schemas = document["components"]["schemas"]
    directions = event_unions(schemas)
    for name, schema in schemas.items():
        # A map takes any object, so that none is unknown.
        has_map = any(member.get("type") == "object" for member in members(schema))
        if "discriminator" in schema or ("x-untagged" in schema and not has_map):
            schema["x-unknown"] = "UnknownModel"
            if name in directions:
                schema["x-unknown"] = "UnknownEvent"
    for name, direction in directions.items():
        union = schemas[name]
        union["x-parses"] = names.parser_name(name)
        union["x-direction"] = direction
        classes = mapped(union)
        for model in classes.values():
            event = schemas[model]
            types = [value for value, other in classes.items() if other == model]
            event["x-event-type"] = types[0]
            event["x-event-types"] = " or ".join(f"`{value}`" for value in types)
            # An event of two unions is parsed by the first.
            event.setdefault("x-direction", direction)
            event.setdefault("x-parser", union["x-parses"])
        # The source of a dictionary without its braces.
        union["x-classes"] = literal(classes)[1:-1]
    for name in directions:
        if "x-connection" in schemas[name]:
            _describe_connection(name, document)
    _describe_builders(schemas)


def _describe_connection(server: str, document: dict[str, Any]) -> None:
    """Complete the `x-connection` of a fragment."""
    schemas = document["components"]["schemas"]
    connection = schemas[server]["x-connection"]
    client = connected_client(server, schemas)
    name = connect_name(server, connection)
    host = default_host(document)
    arguments = list(_path_arguments(connection["path"]))
    connection |= {
        "name": name,
        "suffix": name.removeprefix("connect"),
        "is_beta": str(connection.get("is_beta", False)),
        "server": server,
        "client": client,
        "connection": connection_class(server),
        "parse": schemas[server]["x-parses"],
        "path": literal(connection["path"]),
        "append": literal(connection["append"]),
        "arguments": arguments,
        **_signature(arguments),
    }
    # The package knows the default; a fragment may have another service.
    if host != DEFAULT_HOST:
        connection["base_url"] = literal(re.sub("^http", "ws", host))
    # The pages of both unions name the functions.
    schemas[server]["x-received-by"] = schemas[client]["x-sent-by"] = name


def connect_name(server: str, connection: dict[str, Any]) -> str:
    """Return the function that opens a connection, by default after its union of events."""
    # `RealtimeTranslationServerEvent` gives `connect_translation`.
    session = re.sub(r"^Realtime|Server|Events?$", "", server)
    return str(connection.get("name") or f"connect_{names.snake_case(session)}".rstrip("_"))


def connection_class(server: str) -> str:
    """Return the class of the connections for threads."""
    return re.sub(r"(Server)?Events?$", "", server) + "Connection"


def _path_arguments(path: str) -> Iterator[dict[str, str]]:
    """Yield the arguments of `connect` that go into its path."""
    for parameter in re.findall(r"{(.*?)}", path):
        yield {"name": names.argument_name(parameter), "wire": literal(parameter)}


def _signature(arguments: list[dict[str, str]]) -> dict[str, str]:
    """Return the signature of a `connect` that takes arguments, and how it passes the settings."""
    signature = inspect.signature(Settings.__init__)
    _, *settings = signature.parameters
    parameters = list(signature.parameters.values())
    for argument in arguments:
        name, keyword = argument["name"], inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(name, keyword, annotation="str"))
    return {
        # Annotations are text there, in quotes.
        "signature": str(signature.replace(parameters=parameters)).replace("'", ""),
        "settings": ", ".join(map("{0}={0}".format, settings)),
    }


def _describe_builders(schemas: dict[str, Any]) -> None:
    """Say of what the functions are made that add an item, and the class of function tools."""
    # A protocol without conversations has nothing to build.
    events = {schema.get("x-event-type"): schema for schema in schemas.values()}
    if not {"conversation.item.create", "response.create"} <= events.keys():
        return
    response = target(events["response.create"]["properties"].get("response", {}), schemas)
    tool = component(response.get("properties", {}).get("tools", {}).get("items", {}))
    if not tool:
        return
    # Of a union of tools, the one for functions.
    builders = {"tool": mapped(schemas[tool]).get("function", tool)}
    # Sessions of the older protocol take no images.
    if any("input_image" in schema.get("enum", []) for _, schema in walk(schemas)):
        builders["image"] = "user_image"
    events["conversation.item.create"]["x-builders"] = builders


def problems(document: dict[str, Any]) -> Problems:
    """Yield what is no union of events, or no connection, although the fragment says so."""
    schemas = document["components"]["schemas"]
    unions = event_unions(schemas)
    used = set(references(document))
    # Names of functions and classes, by the union that they are made for.
    made: dict[str, str] = {}
    for name, schema in schemas.items():
        place = f"components.schemas.{name}"
        connection = schema.get("x-connection")
        # Its name says that it is an event, so its union was forgotten.
        if name not in used and any(name != union and name.startswith(union) for union in unions):
            yield place, "an event that is in no union of events"
        if connection is None and "x-events" not in schema and name not in unions:
            continue
        if not members(schema) or schema.get("discriminator", {}).get("propertyName") != "type":
            yield place, "a union of events has a `discriminator` for `type`"
        elif connection is not None:
            yield from _check_connection(place, name, connection, schemas)
        # The names that a package has because of the union.
        functions = [names.parser_name(name)]
        if connection is not None:
            functions += [connect_name(name, connection), connection_class(name)]
            functions.append(f"Async{connection_class(name)}")
        for function in functions:
            if function in schemas or function in shared.__all__:
                yield place, f"the package has another {function}"
            elif made.setdefault(function, name) != name:
                yield place, f"{made[function]} has a {function}, too"


def _check_connection(
    place: str, server: str, connection: dict[str, Any], schemas: dict[str, Any]
) -> Problems:
    if connected_client(server, schemas) not in event_unions(schemas):
        yield place, "`x-connection` needs `client`, the union of the events that are sent"
    # What any connection takes.
    taken = set(inspect.signature(Settings.__init__).parameters)
    for argument in _path_arguments(connection["path"]):
        if argument["name"] in taken or not argument["name"].isidentifier():
            yield place, f"an argument of connect cannot be called {argument['name']}"
        taken.add(argument["name"])
