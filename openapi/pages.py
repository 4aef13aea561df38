"""Write what the pages of the docs say besides the generator's tables, as `x-…` extensions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nesting import Nesting
from python_types import type_name
from spec import event_unions, innermost, mapped, members, only, operations, references, without

# A browser may break a longer word of a table, so that the descriptions have room on any screen.
MAX_WORD = 14
GUIDES = Path("docs/guides")
TITLES = {"v1": "v1", "ga": "GA"}
FACTS = {
    "x-sent-when": "Sent when",
    "x-answered-with": "Answered with",
    "x-confirmed-by": "Confirmed by",
    "x-refused-with": "Refused with",
}
REFERENCE_PAGE = "../reference/core.md"
ON_THE_WIRE = "[[on the wire](#on-the-wire)]"
# The titles of groups of events by who sends them, and of other classes.
EVENTS = {"client": "Client events", "server": "Server events", "webhook": "Webhooks"}
OLDER = "Older shapes"
MODELS = ["Session", "Conversation", "Response", "Tools", "HTTP", "Shared", OLDER]
EVERYWHERE = ("type", "event_id")


def describe(documents: dict[str, dict[str, Any]]) -> None:
    """Add the parts of the pages to annotated documents, by the names of their protocols."""
    for protocol in documents:
        _Pages(protocol, documents).write()
        _describe_index(documents[protocol])


class _Pages:
    """The pages of one protocol."""

    def __init__(self, protocol: str, documents: dict[str, dict[str, Any]]) -> None:
        self.title = TITLES.get(protocol, protocol)
        self.document = documents[protocol]
        # The classes of the other protocols.
        self.others: dict[str, dict[str, Any]] = {}
        for name, other in without(documents, protocol).items():
            self.others[name] = other["components"]["schemas"]
        self.schemas: dict[str, Any] = self.document["components"]["schemas"]
        self.events: dict[str, list[str]] = defaultdict(list)
        for union in event_unions(self.schemas):
            for event_type, name in mapped(self.schemas[union]).items():
                self.events[event_type].append(name)
        self.users = _users_by_label(self.document)
        self.nesting = Nesting(self.document)
        self.guides = _guides_by_page(protocol)

    def write(self) -> None:
        for name, schema in self.schemas.items():
            schema["x-page-text"] = self._linked(schema["x-text"], name)
            schema["x-page-facts"] = list(self._facts(name, schema))
            schema["x-page-available"] = self._availability(name, schema)
            schema["x-page-used-by"] = list(self._used_by(name, schema))
            # Only for what a client has to build.
            schema["x-page-tree"] = self.nesting.tree(name)
            self._fields(name, schema)
            if "x-unknown" in schema:
                unknown = schema["x-unknown"]
                schema["x-page-unknown"] = f"[**{unknown}**]({REFERENCE_PAGE}#{unknown.lower()})"
            for member in schema.get("x-members", []):
                member["when"] = cell(member["when"])
                member["cell"] = self._type_cell(member["type"], member.get("ref"))
        for _place, operation in operations(self.document):
            self._operation(operation)

    # Classes

    def _facts(self, name: str, schema: dict[str, Any]) -> Iterator[dict[str, str]]:
        for key, label in FACTS.items():
            if key in schema:
                yield _fact(label, self._linked(" ".join(schema[key].split()), name))
        # Where programs meet the class, in their own notation.
        for path, inner, users in self.nesting.places(name):
            text = f"`{path}` in {' and '.join(users)}"
            if inner:
                text += f", with fields such as `{path}.{inner}`"
            yield _fact("Path", text)

    def _availability(self, name: str, schema: dict[str, Any]) -> str:
        protocols = [self.title]
        for other, names in self.others.items():
            if name in names:
                protocols.append(f"[{TITLES.get(other, other)}](../{other}/{name}.md)")
        text = f"in {' and '.join(protocols)}"
        # A reader who moves between the protocols needs to know.
        if len(protocols) == 1:
            text += " only"
        if "x-event-type" not in schema:
            return text
        transports = schema.get("x-transports") or self.document.get("x-transports", "WebSocket")
        return f"{text}, over {transports}"

    def _used_by(self, name: str, schema: dict[str, Any]) -> Iterator[dict[str, str]]:
        # A union of events is used by functions, which no schema shows.
        if "x-parses" not in schema and not any(users[name] for users in self.users.values()):
            yield _fact("Nothing", f"published, but no event or request of {self.title} has it")
        for label, links in {**self.users, "Guides": self.guides}.items():
            if links[name]:
                yield _fact(label, ", ".join(dict.fromkeys(links[name])))

    def _fields(self, name: str, schema: dict[str, Any]) -> None:
        """Write the rows of the table of fields, and what the wire has beside the schema."""
        fields = schema.get("properties", {})
        same_class = [other[name] for other in self.others.values() if name in other]
        wire = self._wire(schema, name)
        for field, child in fields.items():
            child["x-page-anchor"] = _anchor(child["x-name"])
            child["x-page-cell"] = self._description(child, name)
            type_of_field = type_name(child)
            # The enum of a constant text is no more than that.
            if "x-constant" in child and "x-known" not in child:
                type_of_field = "str"
            page = next(references(child), None)
            child["x-page-type"] = self._type_cell(type_of_field, page)
            notes = [child["x-notes"], *self._known(child)]
            # The other protocol has the class without the field.
            if same_class and not any(field in other.get("properties", {}) for other in same_class):
                notes.append(f"[{self.title} only]")
            texts = self._wire(child, name)
            if texts:
                notes.append(ON_THE_WIRE)
                wire.append(f"**{child['x-name']}**: {' '.join(texts)}")
            child["x-page-notes"] = " ".join(filter(None, notes))
        schema["x-page-wire"] = wire

    def _wire(self, node: dict[str, Any], page: str) -> list[str]:
        return [self._linked(text, page) for text in node.get("x-wire", [])]

    def _description(self, schema: dict[str, Any], page: str) -> str:
        text = schema["x-text"]
        # The value of a constant may be too long for the notes.
        if "x-constant" in schema and f"`{schema['x-shown']}`" not in text:
            text = f"{text.rstrip('.')}, always `{schema['x-shown']}`."
        return cell(self._linked(text, page))

    def _known(self, schema: dict[str, Any]) -> list[str]:
        """Return a note with the only value of an enum, where its description lacks it."""
        values = innermost(schema)
        if "x-enum-name" not in values or "x-constant" in schema or len(values["enum"]) > 1:
            return []
        value = cell(code(values["enum"][0]))
        return [] if value in schema["x-text"] else [f"[known: {value}]"]

    def _type_cell(self, name: str, page: str | None) -> str:
        text = cell(f"**{breakable(name)}**")
        if page:
            return f"[{text}]({page}.md)"
        # An enum that is no component has a table on the same page.
        enum = re.search(r"\w+Enum", name)
        if enum:
            return f"[{text}](#enum-{enum[0].lower()})"
        return text

    # Operations

    def _operation(self, operation: dict[str, Any]) -> None:
        for argument in operation["x-arguments"]:
            page = next(references(argument["schema"]), None)
            argument["type_cell"] = self._type_cell(type_name(argument["schema"]), page)
            argument["text_cell"] = cell(self._linked(argument["text"], ""))
        operation["x-page-summary"] = cell(operation["summary"])
        operation["x-page-text"] = self._linked(operation["x-text"], "")
        page = operation["x-returns-class"]
        operation["x-page-returns"] = self._type_cell(operation["x-returns"], page)
        operation["x-page-result"] = self._linked(operation["x-status-text"], "")
        guides = self.guides[operation["x-api"]]
        if guides:
            operation["x-page-guides"] = ", ".join(guides)
        if "x-wire" in operation:
            operation["x-page-wire"] = " ".join(self._wire(operation, ""))

    # Links

    def _linked(self, text: str, page: str) -> str:
        """Return a text of a page with links of the classes and events in backticks."""

        def link(match: re.Match[str]) -> str:
            name = self._target(match[1], page)
            return f"[{match[0]}]({name}.md)" if name and name != page else match[0]

        return re.sub(r"(?<!\[)`([\w.]+)`", link, text)

    def _target(self, word: str, page: str) -> str | None:
        if word in self.schemas:
            return word
        # An event of another kind of session may have the same type.
        family = "RealtimeTranslation" if page.startswith("RealtimeTranslation") else "Realtime"
        named = self.events.get(word, [])
        same = [name for name in named if name.startswith((f"{family}C", f"{family}S"))]
        return next(iter(same or named), None)


def _fact(label: str, text: str) -> dict[str, str]:
    return {"label": label, "text": text.rstrip(".")}


def _anchor(field: str) -> str:
    """Return the anchor of a field's row."""
    return f"field-{field.strip('_')}"


def cell(text: str) -> str:
    """Return a text for a table, where a bar would end its cell."""
    return text.replace("|", "\\|")


def code(text: str) -> str:
    """Return a text in backticks."""
    if "`" in text:
        return f"`` {text} ``"
    return f"`{text}`"


def breakable(name: str) -> str:
    """Return a name, with places where a browser may break it if it is long."""
    if len(name) <= MAX_WORD:
        return name
    return re.sub(r"(?<=[a-z\d])(?=[A-Z])|(?<=_)(?=\w)", "<wbr>", name)


def _users_by_label(document: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Return links to the fields, unions and operations that use each schema."""
    fields: dict[str, list[str]] = defaultdict(list)
    unions: dict[str, list[str]] = defaultdict(list)
    calls: dict[str, list[str]] = defaultdict(list)
    for name, schema in document["components"]["schemas"].items():
        for child in schema.get("properties", {}).values():
            link = f"[`{name}.{child['x-name']}`]({name}.md#{_anchor(child['x-name'])})"
            for used in references(child):
                fields[used].append(link)
        for used in references(members(schema)):
            unions[used].append(f"[`{name}`]({name}.md)")
    for place, operation in operations(document):
        link = f"[`{place}`]({operation['x-api']}.md#{operation['x-method']})"
        for used in references(operation):
            calls[used].append(link)
    return {"Fields": fields, "Unions": unions, "HTTP": calls}


def _guides_by_page(protocol: str) -> dict[str, list[str]]:
    """Return the guides that link a page of a protocol, as links from there."""
    found: dict[str, list[str]] = defaultdict(list)
    for guide in sorted(GUIDES.glob("*.md")):
        text = guide.read_text("utf-8")
        title = text.removeprefix("# ").partition("\n")[0]
        link = f"[{title}](../guides/{guide.name})"
        # A guide may link a page more than once.
        for name in set(re.findall(rf"\]\(\.\./{protocol}/(\w+)\.md", text)):
            found[name].append(link)
    return found


# The index


def _describe_index(document: dict[str, Any]) -> None:
    """Add the parts of the overview of a protocol, and of its fields and values from A to Z."""
    schemas = document["components"]["schemas"]
    groups = _groups(schemas)
    document["x-page-title"] = document["info"]["title"]
    document["x-index-text"] = " ".join(document["info"]["description"].split())
    document["x-index-events"] = list(only(groups, EVENTS.values()).values())
    document["x-index-models"] = list(only(groups, MODELS).values())
    document["x-index-endpoints"] = []
    # By path, and only then by method.
    endpoints = sorted(operations(document), key=lambda pair: pair[0].split()[::-1])
    for place, operation in endpoints:
        page = f"{operation['x-api']}.md#{operation['x-method']}"
        endpoint = {"place": place, "page": page, "summary": operation["summary"]}
        document["x-index-endpoints"].append(endpoint)
    fields: dict[str, set[str]] = defaultdict(set)
    values: dict[str, set[str]] = defaultdict(set)
    for name, schema in schemas.items():
        for field, child in schema.get("properties", {}).items():
            row = f"[{name}]({name}.md#{_anchor(child['x-name'])})"
            # A row of what every event has would list them all.
            if field not in EVERYWHERE:
                fields[field].add(row)
            for value in _known(child):
                values[value].add(row)
        for part in (schema, *members(schema)):
            for value in _known(part):
                values[value].add(f"[{name}]({name}.md)")
    document["x-index-fields"] = _entries(fields)
    document["x-index-values"] = _entries(values)


def _groups(schemas: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the groups of classes by their titles, with events in the order of their types."""
    groups: dict[str, dict[str, Any]] = {}
    for name, schema in sorted(schemas.items()):
        title = _title(name, schema)
        group = groups.setdefault(title, {"title": title, "events": [], "classes": []})
        summary = cell(schema["x-summary"])
        entry = {"name": name, "cell": breakable(name), "summary": summary}
        if "x-event-type" in schema:
            is_older = schema.get("x-older", False)
            group["events"].append({**entry, "type": schema["x-event-type"], "is_older": is_older})
        else:
            group["classes"].append(entry)
    for group in groups.values():
        group["events"].sort(key=lambda event: (event["is_older"], event["type"]))
    return groups


def _title(name: str, schema: dict[str, Any]) -> str:
    """Return the group of a class: that of the events whose part it is, or what it is about."""
    if "x-direction" in schema:
        return EVENTS[schema["x-direction"]]
    event = re.match(r"Realtime\w*?(Client|Server)Event", name)
    if event:
        return EVENTS[event[1].lower()]
    if name.startswith("Webhook"):
        return EVENTS["webhook"]
    if schema.get("x-older"):
        return OLDER
    if re.search("MCP|Tool|Function", name):
        return "Tools"
    resource = re.match(r"Realtime\w*?(Session|Conversation|Response)", name)
    if resource:
        return resource[1]
    if name.endswith(("Request", "Response")):
        return "HTTP"
    return "Shared"


def _known(schema: dict[str, Any]) -> list[str]:
    """Return the values of an enum, or of a list of them."""
    known = schema.get("enum", []) + schema.get("x-known", [])
    known += schema.get("items", {}).get("enum", [])
    return list(map(str, known))


def _entries(users_by_name: dict[str, set[str]]) -> list[dict[str, str]]:
    entries = []
    # Names that differ in their case alone keep an order of their own.
    for name in sorted(users_by_name, key=lambda name: (name.lower(), name)):
        entries.append({"name": name, "users": ", ".join(sorted(users_by_name[name]))})
    return entries
