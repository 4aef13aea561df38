"""Where a class stands in events and requests, and the tree of all that it holds."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from spec import component, event_unions, mapped, members, operations

# A class that stands in more places than this names the first ones.
MAX_PLACES = 3
# How often the search follows one class within one event: a recursion has no end.
MAX_VISITS = 4


class Root(NamedTuple):
    """An event or a request: its class, its link, and whether a client sends it.

    `rank` says how few programs use it: 0 is an event, 1 an older one, 2 a request.
    """

    rank: int
    name: str
    link: str
    is_sent: bool


class Nesting:
    """Follows the fields of events and of the bodies of requests."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        self._places: dict[str, dict[str, list[Root]]] = defaultdict(lambda: defaultdict(list))
        self._ranks: dict[str, int] = {}
        # Client events come first on a page.
        for root in sorted(self._roots(document), key=lambda root: (root.rank, not root.is_sent)):
            self._follow(root)

    def _roots(self, document: dict[str, Any]) -> Iterator[Root]:
        for union, direction in event_unions(self.schemas).items():
            for name in mapped(self.schemas[union]).values():
                event = self.schemas[name]
                link = f"[`{event['x-event-type']}`]({name}.md)"
                yield Root(int(event.get("x-older", False)), name, link, direction == "client")
        for place, operation in operations(document):
            link = f"[`{place}`]({operation['x-api']}.md#{operation['x-method']})"
            body = operation.get("requestBody", {})
            for side in (body, *operation.get("responses", {}).values()):
                for content in side.get("content", {}).values():
                    for _suffix, name in self._classes(content.get("schema", {})):
                        yield Root(2, name, link, side is body)

    def _follow(self, root: Root) -> None:
        """Note the place of each class below an event or a body, the shortest paths first.

        Requests count only for what no event has, and older events for what no other has.
        """
        visits: dict[str, int] = defaultdict(int)
        # A queue, and not a recursion: shorter paths come before longer ones.
        waiting = deque([("", root.name)])
        while waiting:
            path, name = waiting.popleft()
            visits[name] += 1
            if visits[name] > MAX_VISITS:
                continue
            if path and self._ranks.setdefault(name, root.rank) == root.rank:
                self._places[name][path].append(root)
            for suffix, inner in self._classes(self.schemas[name]):
                waiting.append((path + suffix, inner))
            for field, child in self.schemas[name].get("properties", {}).items():
                for suffix, inner in self._classes(child):
                    waiting.append((f"{path}.{field}".lstrip(".") + suffix, inner))

    def _classes(self, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the classes that a value may be, or hold, with `[]` for the items of a list."""
        name = component(schema)
        if name:
            yield "", name
            return
        for member in members(schema):
            yield from self._classes(member)
        for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(schema.get(key), dict):
                for deeper, inner in self._classes(schema[key]):
                    yield suffix + deeper, inner

    def places(self, name: str) -> Iterator[tuple[str, str, list[str]]]:
        """Yield the paths to a class, one of its fields, and where each path begins."""
        # A constant does not tell what a class is for.
        fields = self.schemas[name].get("properties", {}).values()
        inner = next((child["x-name"] for child in fields if "x-constant" not in child), "")
        for path, roots in list(self._places[name].items())[:MAX_PLACES]:
            # The first that a client sends, and the first that it receives.
            links: dict[bool, str] = {}
            for root in roots:
                links.setdefault(root.is_sent, root.link)
            yield path, inner, list(links.values())

    def tree(self, name: str) -> list[str]:
        """Return a list of all in a class, as lines, if a client sends it whole and it is deep."""
        for path, roots in self._places[name].items():
            # A path of one word: the class is a whole field of an event.
            if path.isidentifier() and any(root.is_sent for root in roots):
                lines = list(self._branches(name, "", {name}))
                # At least one class stands within another one.
                if any(line.startswith("    ") for line in lines):
                    return lines
        return []

    def _branches(self, name: str, indent: str, shown: set[str]) -> Iterator[str]:
        """Yield a line for each field of a class, and below it those of what it holds.

        The fields of a class stand once; a second time, its name leads to its page.
        """
        for field, child in self.schemas[name].get("properties", {}).items():
            text = f"[`{field}`]({name}.md#field-{child['x-name'].strip('_')})"
            if "x-constant" in child:
                yield f"{indent}- {text}: `{child['x-shown']}`"
                continue
            held = list(self._classes(child))
            # The reader must know to write brackets.
            if any(suffix.startswith("[]") for suffix, _ in held):
                text += ", a list"
            models: list[str] = []
            for _suffix, inner in held:
                models += self._models(inner)
            if len(models) == 1 and models[0] in shown:
                text += f": [`{models[0]}`]({models[0]}.md)"
            yield f"{indent}- {text}"
            for model in models:
                deeper = f"{indent}  "
                # Each member of a union has fields of its own.
                if len(models) > 1:
                    yield f"{deeper}- as [`{model}`]({model}.md)"
                    deeper += "  "
                if model not in shown:
                    shown.add(model)
                    yield from self._branches(model, deeper, shown)

    def _models(self, name: str) -> Iterator[str]:
        """Yield the models that a class is, or those of a union."""
        if "properties" in self.schemas[name]:
            yield name
        for _suffix, inner in self._classes(self.schemas[name]):
            yield from self._models(inner)
