"""Cut a part of a published OpenAPI document out, as a fragment: `make fragment`.

It takes the operations of a tag (`TAG`) or below a path (`PATHS`), the webhooks and the unions
whose names begin like the tag, the schemas of `SCHEMAS`, and all that these lead to. Without any of
them it takes the whole document. `make generate DRAFT=1` then shows what is left to write.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import walk_tree

import spec

Operation = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="the OpenAPI document")
    parser.add_argument("--name", required=True, help="the protocol, as in openapi/NAME.yaml")
    parser.add_argument("--tag", help="take the operations that have this tag")
    parser.add_argument("--paths", help="take the operations whose paths begin like this")
    parser.add_argument("--schemas", nargs="*", default=[], help="take these schemas, too")
    arguments = parser.parse_args()
    try:
        spec.check_name(arguments.name)
        target = Path("openapi") / f"{arguments.name}.yaml"
        # A fragment is edited by hand, and not to be lost.
        if target.exists():
            raise spec.SpecError(f"{target} exists; remove it, or choose another NAME")
        document = read_published(arguments.spec)
        fragment = select(document, arguments.tag, arguments.paths, arguments.schemas)
        write_fragment(fragment, target)
    except spec.SpecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    operations = len(list(spec.operations(fragment)))
    schemas = len(fragment["components"]["schemas"])
    print(f"{target}: {operations} operations and {schemas} schemas")
    return 0


def read_published(path: Path) -> dict[str, Any]:
    """Read an OpenAPI 3 document, whose `paths` and `components.schemas` may be missing."""
    document = spec.load(path, is_published=True)
    if not str(document.get("openapi", "")).startswith("3."):
        raise spec.SpecError(f"{path}: not an OpenAPI 3 document")
    components = document.get("components") or {}
    schemas = components.get("schemas") or {}
    paths = document.get("paths") or {}
    for name, node in (("paths", paths), ("components.schemas", schemas)):
        if not isinstance(node, dict):
            raise spec.SpecError(f"{path}: {name} is not a mapping")
        for key, item in node.items():
            if not (isinstance(item, dict) or str(key).startswith("x-")):
                raise spec.SpecError(f"{path}: {name}.{key} is not a mapping")
    return {**document, "paths": paths, "components": {**components, "schemas": schemas}}


def select(
    document: dict[str, Any], tag: str | None, prefix: str | None, names: Iterable[str]
) -> dict[str, Any]:
    """Return what a tag, a prefix of paths and names of schemas lead to; without these, all."""
    names = list(names)
    # Nothing is chosen: the document is small enough to be a fragment whole.
    if not (tag or prefix or names):
        return document
    for name in names:
        if name not in document["components"]["schemas"]:
            raise spec.SpecError(f"there is no schema {name!r}")
    if tag:
        names += unions_of(tag, document)

    def is_kept(name: str, operation: Operation) -> bool:
        if tag and (tag in operation.get("tags", []) or name.lower().startswith(tag.lower())):
            return True
        return bool(prefix) and name.startswith(str(prefix))

    part = cut(document, is_kept, names)
    if not (part["paths"] or part["components"]["schemas"]):
        tags = ", ".join(sorted(tags_of(document)))
        raise spec.SpecError(f"no operation is chosen; the tags are {tags}")
    return part


def tags_of(document: dict[str, Any]) -> set[str]:
    """Return the tags of all operations."""
    tags = set[str]()
    for _place, operation in spec.operations(document):
        tags.update(operation.get("tags", []))
    return tags


def unions_of(tag: str, document: dict[str, Any]) -> list[str]:
    """Return the unions that begin with a tag's name, as those of events do.

    No operation leads to them: they travel over a connection.
    """
    schemas = document["components"]["schemas"]
    return [name for name in schemas if name.startswith(tag) and spec.members(schemas[name])]


def cut(
    document: dict[str, Any], is_kept: Callable[[str, Operation], bool], names: Iterable[str]
) -> dict[str, Any]:
    """Return a document of some operations, webhooks and schemas, and all that these lead to.

    `is_kept` is given the path of an operation, or the name of a webhook.
    """
    result = {**document, "components": {}}
    for group in ("paths", "webhooks"):
        result[group] = {}
        for name, item in document.get(group, {}).items():
            # Parameters and servers of the path go with its operations.
            methods = spec.only(item, spec.METHODS)
            dropped = [method for method in methods if not is_kept(name, methods[method])]
            if len(dropped) < len(methods):
                result[group][name] = spec.without(item, *dropped)
    components = document["components"]

    def uses(node: Any) -> set[tuple[str, ...]]:
        found = set()
        for _place, pointer in spec.pointers(node):
            if pointer.startswith("#/components/"):
                found.add(tuple(pointer.split("/")[2:4]))
        return found

    roots = {("schemas", name) for name in names} | uses([result["paths"], result["webhooks"]])
    reached = spec.reachable(roots, lambda key: uses(components.get(key[0], {}).get(key[1], {})))
    if not result["webhooks"]:
        del result["webhooks"]
    used_tags = tags_of(result)
    result["tags"] = [tag for tag in document.get("tags", []) if tag.get("name") in used_tags]
    for group, named in components.items():
        kept = spec.only(named, [name for name in named if (group, name) in reached])
        # `security` refers to schemes by their names alone.
        if group == "securitySchemes":
            kept = named
        # Every fragment has `schemas`, if only empty.
        if kept or group == "schemas":
            result["components"][group] = kept
    return result


def write_fragment(document: dict[str, Any], path: Path) -> None:
    """Write a document as YAML, in the order in which it was."""
    # Without the anchors of what is shared, and with dates and the keys of statuses as text.
    plain = json.loads(json.dumps(document, default=str))
    # Unions that are called like unions of events are such.
    for name, schema in plain["components"]["schemas"].items():
        found = re.search("(Server|Client)Event$", name)
        if found and spec.members(schema):
            schema.setdefault("x-events", found[1].lower())
    walk_tree(plain)  # text of several lines as a block
    yaml = YAML()
    # Folded, a long key could not be read again.
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(plain, file)


if __name__ == "__main__":
    sys.exit(main())
