"""Say each thing of an OpenAPI document in one way, which the generator understands."""

from __future__ import annotations

import copy
from typing import Any

from spec import REFERENCE, resolve, target, walk


def simplified(document: dict[str, Any]) -> dict[str, Any]:
    """A merged document as plain OpenAPI 3.0, in which each thing is said in one way.

    References stand alone (in `allOf` where something stands beside them) and name components;
    `null` is `nullable`, a constant an `enum` of one.
    """
    document = copy.deepcopy(document)
    for _place, node in list(walk(document)):
        _inline_deep_reference(node, document)
    document = {**_simplified(document), "openapi": "3.0.3"}
    schemas = document["components"]["schemas"]
    for _place, node in walk(document):
        if target(node, schemas).get("nullable") and "allOf" in node:
            node["nullable"] = True
    return document


def _inline_deep_reference(node: dict[str, Any], document: dict[str, Any]) -> None:
    """Replace a reference into a schema, which the generator would make a class of, by a copy."""
    reference = node.get("$ref", "")
    if reference.startswith(REFERENCE) and "/" in reference[len(REFERENCE) :]:
        del node["$ref"]
        target = copy.deepcopy(resolve(document, reference))
        node.update({**target, **node})


def _simplified(node: Any) -> Any:
    if isinstance(node, list):
        return [_simplified(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: _simplified(each) for key, each in node.items()}
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if isinstance(node.get("enum"), list) and None in node["enum"]:
        node["enum"] = [value for value in node["enum"] if value is not None]
        node["nullable"] = True
    if "$ref" in node and len(node) > 1:
        node["allOf"] = [{"$ref": node.pop("$ref")}]
    if isinstance(node.get("type"), list):
        kinds = [kind for kind in node["type"] if kind != "null"]
        node = {**node, "type": kinds[0], "nullable": len(kinds) < len(node["type"])}
    for key in ("oneOf", "anyOf"):
        if isinstance(node.get(key), list):
            node = _without_null(node, key)
    # What is left of a union of one, or of an `allOf` in an `allOf`, is said once.
    while [list(each) for each in node.get("allOf", [])] == [["allOf"]]:
        node["allOf"] = node["allOf"][0]["allOf"]
    return node


def _without_null(node: dict[str, Any], key: str) -> dict[str, Any]:
    """Turn a `null` member into `nullable`, and a union of one into its member."""
    rest = [member for member in node[key] if member.get("type") != "null"]
    if len(rest) < len(node[key]):
        node["nullable"] = True
    if len(rest) > 1:
        return {**node, key: rest}
    (member,) = rest
    del node[key]
    return {**({"allOf": [member]} if "$ref" in member else member), **node}
