"""Write what the pages of the docs say besides the generator's tables, as `x-page…` extensions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from annotate import parameters, type_name
from spec import (
    REFERENCE,
    event_unions,
    members,
    operations,
    public_schemas,
    reachable,
    references,
)

# What a cell of a table holds, so that all columns fit on a code host's page.
LONGEST_CELL = 100
LONGEST_NAME = 32
# The longest words of all four columns of a table of fields, in characters.
WIDTH, SHORTEST_NAME = 92, 20
GUIDES = Path("docs/guides")
TITLES = {"v1": "v1", "ga": "GA"}
FACTS = {
    "x-sent-when": "Sent when",
    "x-answered-with": "Answered with",
    "x-confirmed-by": "Confirmed by",
    "x-refused-with": "Refused with",
}


def describe(documents: dict[str, dict[str, Any]]) -> None:
    """Add the parts of the pages to annotated documents, by the names of their protocols."""
    for protocol, document in documents.items():
        others = {
            name: public_schemas(other) for name, other in documents.items() if name != protocol
        }
        _Pages(protocol, document, others).write()


class _Pages:
    """The pages of one protocol; `others` has the classes of each other one."""

    def __init__(
        self, protocol: str, document: dict[str, Any], others: dict[str, dict[str, Any]]
    ) -> None:
        self.protocol = protocol
        self.title = TITLES.get(protocol, protocol)
        self.document = document
        self.others = others
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        self.public = public_schemas(document)
        self.links = Links(self.schemas, self.public)
        self.users = Users(document, self.public)
        self.guides = guides_by_page(protocol)

    def write(self) -> None:
        self.document["x-protocol"] = self.protocol
        for name, schema in self.public.items():
            schema["x-page-link"] = f"[{breakable(name)}]({name}.md)"
            schema["x-page-text"] = self.links.linked(schema["x-text"], name)
            schema["x-page-facts"] = list(self._facts(name, schema))
            schema["x-page-used-by"] = list(self._used_by(name, schema))
            self._fields(name, schema)
            for member in schema.get("x-members", []):
                member["cell"] = self._type_cell(member["type"], member.get("ref"))
        for _place, operation in operations(self.document):
            operation["x-page-parameters"] = list(self._parameters(operation))
            operation["x-page-text"] = self.links.linked(operation["x-text"], "")
            guides = self.guides.get(f"{operation['tags'][0]}Api")
            if guides:
                operation["x-page-guides"] = ", ".join(guides)
            if "x-wire" in operation:
                operation["x-page-wire"] = self.links.linked(" ".join(operation["x-wire"]), "")

    def _facts(self, name: str, schema: dict[str, Any]) -> Iterator[dict[str, str]]:
        if "x-event-type" in schema:
            kind, direction = schema["x-event-type"], schema["x-direction"]
            yield _fact("Event", f"`{kind}`, sent by the {direction}")
        for key, label in FACTS.items():
            if key in schema:
                yield _fact(label, self.links.linked(" ".join(schema[key].split()), name))
        yield _fact("Available", self._availability(name, schema))
        if "x-wire" in schema:
            yield _fact("On the wire", self.links.linked(" ".join(schema["x-wire"]), name))

    def _availability(self, name: str, schema: dict[str, Any]) -> str:
        protocols = [self.title]
        protocols += [
            f"[{TITLES.get(other, other)}](../{other}/{name}.md)"
            for other, names in self.others.items()
            if name in names
        ]
        text = f"in {' and '.join(protocols)}" + (" only" if len(protocols) == 1 else "")
        if "x-event-type" not in schema:
            return text
        transports = schema.get("x-transports") or self.document.get("x-transports", "WebSocket")
        return f"{text}, over {transports}"

    def _used_by(self, name: str, schema: dict[str, Any]) -> Iterator[dict[str, str]]:
        if "x-parses" in schema:
            yield _fact("Functions", self._functions(name, schema))
        elif not self.users.has(name):
            yield _fact("Nothing", f"published, but no event or request of {self.title} has it")
        fields = [
            f"{self.links.to(user)}.`{field}`" for user, field in self.users.fields.get(name, [])
        ]
        if fields:
            yield _fact("Fields", ", ".join(fields))
        unions = [self.links.to(each) for each in self.users.unions.get(name, [])]
        if unions:
            yield _fact("Unions", ", ".join(unions))
        events = self.users.events_with(name)
        if events:
            yield _fact("Events", ", ".join(self.links.event(each) for each in events))
        called = self.users.operations_with(name)
        if called:
            yield _fact("HTTP", ", ".join(called))
        if self.guides.get(name):
            yield _fact("Guides", ", ".join(self.guides[name]))

    def _functions(self, name: str, schema: dict[str, Any]) -> str:
        """What of the package returns a union of events, or takes it."""
        connect = f"connect{schema.get('x-suffix', '')}"
        parses = f"`{schema['x-parses']}` returns it"
        if schema["x-direction"] == "server":
            return f"{parses}, and so does `recv` of what `{connect}` and `{connect}_sync` open"
        if schema["x-direction"] == "client":
            return f"{parses}; `send` of what `{connect}` and `{connect}_sync` open takes it"
        return parses

    def _only(self, name: str, schema: dict[str, Any]) -> None:
        """Note the fields that the same class of no other protocol has."""
        same = [other[name] for other in self.others.values() if name in other]
        others = [each.get("properties", {}) for each in same]
        for field, child in schema.get("properties", {}).items():
            if others and not any(field in other for other in others):
                child["x-notes"] = f"{child['x-notes']} [{self.title} only]".strip()

    def _fields(self, name: str, schema: dict[str, Any]) -> None:
        details = []
        fields = schema.get("properties", {}).values()
        self._only(name, schema)
        for child in fields:
            text = child["x-text"]
            if "x-constant" in child:
                # What follows stands in the notes.
                text = re.sub(r", always `[^`]*`", "", text)
            child["x-page-cell"] = shortened(text).replace("|", "\\|")
        limit = _room_for_types(fields)
        for child in fields:
            child["x-page-type"] = self._field_type(child, limit)
            notes = [self.links.linked(text, name) for text in child.get("x-wire", [])]
            if child["x-page-cell"].endswith("…") or notes:
                text = self.links.linked(child["x-text"], name)
                if notes:
                    text += f"\n\nOn the wire: {' '.join(notes)}"
                details.append({"name": child["x-name"], "text": text})
        if details:
            schema["x-page-details"] = details

    def _field_type(self, schema: dict[str, Any], limit: int) -> str:
        each = schema
        while "items" in each:
            each = each["items"]
        if "x-enum-name" not in each:
            page = page_of(schema, self.public)
            return self._type_cell(type_name(schema, self.schemas), page, limit)
        if "x-constant" in schema:
            return "**str**"
        cell = f"**{breakable(type_name(schema, self.schemas), limit)}**"
        if len(each["enum"]) == 1 and not self.document.get("x-tables-of-one", False):
            value = f"`{each['enum'][0]}`"
            if value not in schema["x-text"]:
                schema["x-notes"] = f"{schema['x-notes']} [known: {value}]".strip()
            return cell
        schema["x-page-enum"] = True
        return f"[{cell}](#enum-{each['x-enum-name'].lower()})"

    def _parameters(self, operation: dict[str, Any]) -> Iterator[dict[str, str]]:
        for name, description, schema, is_required in parameters(operation, self.schemas):
            page = page_of(schema, self.public)
            yield {
                "name": name.replace("_", "_<wbr>") if len(name) > LONGEST_NAME else name,
                "type": self._type_cell(type_name(schema, self.schemas), page),
                "text": " ".join(description.split()).replace("|", "\\|"),
                "notes": "" if is_required else "[optional]",
            }

    def _type_cell(self, name: str, page: str | None, limit: int = LONGEST_NAME) -> str:
        cell = f"**{breakable(name, limit)}**"
        if page in self.public:
            return f"[{cell}]({page}.md)"
        if name.endswith("Enum") and not page:
            return f"[{cell}](#enum-{name.lower()})"
        return cell


def _fact(label: str, text: str) -> dict[str, str]:
    return {"label": label, "text": text.rstrip(".")}


def shortened(text: str) -> str:
    """The sentences of a text that fit into a cell, or else the words."""
    if len(text) <= LONGEST_CELL:
        return text
    sentences = re.split(r"(?<=\.) ", text)
    kept = ""
    while len(kept) + len(sentences[0]) <= LONGEST_CELL:
        kept += sentences.pop(0) + " "
    if not kept:
        words = re.split(r" (?=(?:[^`]*`[^`]*`)*[^`]*$)", text)
        while len(kept) + len(words[0]) <= LONGEST_CELL:
            kept += words.pop(0) + " "
        return f"{kept.rstrip(' ,;:')} …"
    return f"{kept}…"


def _room_for_types(fields: Collection[dict[str, Any]]) -> int:
    """How long a word of a table's column of types may be, beside those of the other columns."""
    left = WIDTH
    for key in ("x-name", "x-page-cell", "x-notes"):
        words = [word for each in fields for word in re.split(r"[ |/-]", each[key])]
        left -= max(map(len, words), default=0)
    return max(SHORTEST_NAME, min(LONGEST_NAME, left))


def breakable(name: str, limit: int = LONGEST_NAME) -> str:
    """A long name with places where a browser may break it."""
    parts = [""]
    for word in re.findall(r"[A-Z]*[^A-Z]+|[A-Z]+$", name):
        if len(parts[-1]) + len(word) > limit:
            parts.append("")
        parts[-1] += word
    return "<wbr>".join(parts)


def page_of(schema: dict[str, Any], public: dict[str, Any]) -> str | None:
    """The class whose page a field's type links."""
    return next((name for name in references(schema) if name in public), None)


class Links:
    """Makes links of the classes and events that a text names in backticks."""

    def __init__(self, schemas: dict[str, Any], public: dict[str, Any]) -> None:
        self.public = public
        self.events: dict[str, list[str]] = defaultdict(list)
        for union in event_unions(schemas):
            for kind, reference in schemas[union]["discriminator"]["mapping"].items():
                self.events[kind].append(reference.removeprefix(REFERENCE))

    def to(self, name: str) -> str:
        return f"[`{name}`]({name}.md)"

    def event(self, name: str) -> str:
        """The link of an event's class, with the event's type for text."""
        return f"[`{self.public[name]['x-event-type']}`]({name}.md)"

    def linked(self, text: str, page: str) -> str:
        def link(match: re.Match[str]) -> str:
            name = self._target(match[1], page)
            return f"[{match[0]}]({name}.md)" if name and name != page else match[0]

        return re.sub(r"(?<!\[)`([\w.]+)`", link, text)

    def _target(self, word: str, page: str) -> str | None:
        if word in self.public:
            return word
        # An event of another kind of session may have the same type.
        family = "RealtimeTranslation" if page.startswith("RealtimeTranslation") else "Realtime"
        named = self.events.get(word, [])
        same = [each for each in named if each.startswith((f"{family}C", f"{family}S"))]
        return next(iter(same or named), None)


class Users:
    """Which fields, unions, events and operations use a schema."""

    def __init__(self, document: dict[str, Any], public: dict[str, Any]) -> None:
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        self.public = public
        self.fields: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.unions: dict[str, list[str]] = defaultdict(list)
        self.direct: dict[str, set[str]] = defaultdict(set)
        self.calls: dict[str, list[str]] = defaultdict(list)
        for name, schema in public.items():
            self._add_fields(name, schema)
            for used in self._references(members(schema)):
                self.unions[used].append(name)
                self.direct[used].add(name)
        for place, operation in operations(document):
            page = f"{operation['tags'][0]}Api.md"
            method = re.sub(r"\W", "_", operation["operationId"])
            for used in self._references(operation):
                self.calls[used].append(f"[`{place}`]({page}#{method})")

    def _add_fields(self, name: str, schema: dict[str, Any]) -> None:
        for child in schema.get("properties", {}).values():
            for used in self._references(child):
                self.fields[used].append((name, child["x-name"]))
                self.direct[used].add(name)

    def _references(self, node: Any) -> list[str]:
        """The classes that a node refers to, each once. A plain map counts for its values."""
        found: dict[str, None] = {}
        for name in references(node):
            if name in self.public:
                found[name] = None
            else:
                found |= dict.fromkeys(self._references(self.schemas[name]))
        return list(found)

    def has(self, name: str) -> bool:
        """Whether anything uses a schema."""
        return bool(self.direct[name] or self.calls[name])

    def events_with(self, name: str) -> list[str]:
        """The events that carry a schema, however deep."""
        if "x-event-type" in self.public[name]:
            return []
        return [each for each in sorted(self._all(name)) if "x-event-type" in self.public[each]]

    def operations_with(self, name: str) -> list[str]:
        """Links of the operations that take or return a schema, however deep."""
        found = [call for each in [name, *sorted(self._all(name))] for call in self.calls[each]]
        return list(dict.fromkeys(found))

    def _all(self, name: str) -> set[str]:
        """Every schema that leads to one."""
        return reachable(self.direct[name], self.direct.__getitem__)


def guides_by_page(protocol: str) -> dict[str, list[str]]:
    """The guides that link a page of a protocol, as links from there."""
    found: dict[str, list[str]] = defaultdict(list)
    for guide in sorted(GUIDES.glob("*.md")):
        text = guide.read_text("utf-8")
        title = text.removeprefix("# ").partition("\n")[0]
        link = f"[{title}](../guides/{guide.name})"
        for name in re.findall(rf"\]\(\.\./{protocol}/(\w+)\.md", text):
            if link not in found[name]:
                found[name].append(link)
    return found
