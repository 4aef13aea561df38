"""Write `docs/reference/` from the signatures and docstrings of what is written by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import griffe

PACKAGE = "openai_realtime_client"
# Where public names are collected: what a module imports from the package is public there.
EXPORTS = {"shared": f"{PACKAGE}.ga", "audio": f"{PACKAGE}.audio", "testing": f"{PACKAGE}.testing"}
# The classes behind the `connect…` functions of each protocol.
CONNECTORS = {"AsyncConnector": "connect", "Connector": "connect_sync"}
# The pages: their rooms of the package, their titles and what they hold.
PAGES = {
    "realtime": ("Connections", "`connect`, the connections that it opens, and records."),
    "conversation": ("The conversation", "What the events of sessions amount to; playback."),
    "http": ("HTTP", "The client of the HTTP API and its configuration."),
    "errors": ("Errors", "Every exception of the package."),
    "core": ("Models and events", "What all generated classes share."),
    "audio": ("Audio devices", "Microphone and loudspeaker."),
    "testing": ("Testing", "The embedded server, its answers, and a check of any server."),
    "cli": ("The command line", "`openai-realtime`, or `python -m openai_realtime_client`."),
}
# What is only read: their methods are for `Conversation`.
READ_ONLY = ("ConversationItem", "ConversationPart", "ConversationResponse")
HELP = f"import sys; sys.argv[0] = 'openai-realtime'; from {PACKAGE} import cli; cli.main()"
LINE_LENGTH = 88
# The sections of docstrings that are lists.
LISTS = ("parameters", "attributes", "returns", "yields", "raises")


class Entry(NamedTuple):
    """A public name: its page, the module from which users import it, and what griffe knows."""

    page: str
    imported_from: str
    found: Any


class Reference:
    """The pages of the package in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = griffe.load(PACKAGE, search_paths=[folder], try_relative_path=False)
        self.entries: dict[str, Entry] = {}
        for module, imported_from in EXPORTS.items():
            self._collect(self.package[module], imported_from)
        for name, public in CONNECTORS.items():
            found = self.package["realtime.connector"][name]
            self.entries[public] = Entry("realtime", f"{PACKAGE}.ga", found)

    def _collect(self, module: Any, imported_from: str) -> None:
        """Add each name that a module imports for its users from the package."""
        for name, member in module.members.items():
            if not member.is_alias or name.startswith("_"):
                continue
            path = member.target_path.split(".")
            # `lazy` makes the modules themselves work.
            if path[0] != PACKAGE or len(path) < 4 or path[2] == "lazy":
                continue
            page = path[1]
            if page == "core" and path[2].startswith("error"):
                page = "errors"
            found = self.package[".".join(path[1:])]
            # A module may pass on a class of another, which has the path of its members.
            if found.is_alias:
                found = found.final_target
            self.entries[name] = Entry(page, imported_from, found)

    def write(self, folder: Path, header: str) -> None:
        """Write a page for each room, and their index."""
        folder.mkdir(parents=True)
        about = "What is written by hand, from its signatures and docstrings."
        index = [header, "", "# Reference", "", about, ""]
        for page, (title, text) in PAGES.items():
            # Functions that connect stand first.
            names = [name for name in self.entries if self.entries[name].page == page]
            names.sort(key=lambda name: (not name.startswith("connect"), name.lower()))
            lines = list(self._tree("Exception", names, ""))
            for name in names:
                lines += self._entry(name)
            if page == "cli":
                lines = list(self._commands())
            index.append(f"- [{title}]({page}.md): {text}")
            for name in sorted(names, key=str.lower):
                index.append(f"  - [`{name}`]({self._anchor(name)})")
            lines = [header, "", f"# {title}", "", text, "", *lines, "[Reference](README.md)", ""]
            (folder / f"{page}.md").write_text("\n".join(lines), "utf-8")
        index += ["", "[Documentation](../README.md)", ""]
        (folder / "README.md").write_text("\n".join(index), "utf-8")

    def _anchor(self, name: str) -> str:
        return f"{self.entries[name].page}.md#{name.lower()}"

    def _commands(self) -> Iterator[str]:
        """Yield the help of each command, as a terminal shows it."""
        overview = self._help()
        for command in ("", *re.findall(r"^    (\w+) ", overview, re.MULTILINE)):
            yield f"## openai-realtime {command}".rstrip()
            yield from _block("text", self._help(*command.split()).rstrip())

    def _help(self, *command: str) -> str:
        # In a process of its own: this one has imported the package as it was before.
        environment = {"PYTHONPATH": str(self.folder), "NO_COLOR": "1", "COLUMNS": "80"}
        environment = {**os.environ, **environment}
        program = (sys.executable, "-B", "-c", HELP, *command, "--help")
        return subprocess.check_output(program, text=True, env=environment)

    def _tree(self, base: str, names: list[str], indent: str) -> Iterator[str]:
        """Yield the exceptions of a page below their bases."""
        for name in sorted(names):
            found = self.entries[name].found
            if found.is_class and any(str(each).endswith(base) for each in found.bases):
                summary = found.docstring.value.partition("\n\n")[0].replace("\n", " ")
                yield f"{indent}- [`{name}`](#{name.lower()}): {summary}"
                yield from self._tree(name, names, f"{indent}  ")

    def _entry(self, name: str) -> Iterator[str]:
        _page, imported_from, found = self.entries[name]
        yield f"\n## {name}"
        # An exception is caught and not made.
        if not name.endswith("Error"):
            imported = f"from {imported_from} import {name}"
            yield from _block("py", f"{imported}\n\n{_signature(name, found)}")
        yield from self._text(found, name)
        if not found.is_class:
            return
        if "__init__" in found.all_members:
            yield from self._text(found.all_members["__init__"], name)
        described = {item.name for item in _items(found, "attributes")}
        for member_name, member in found.all_members.items():
            if member_name.startswith("_") or member_name in described or not member.docstring:
                continue
            if name in READ_ONLY and member.is_function:
                continue
            # A public base has an entry of its own.
            owner = member.canonical_path.rpartition(".")[0]
            is_public = owner.rpartition(".")[2] in {*self.entries, *CONNECTORS}
            if owner == found.path or not is_public:
                yield f"### {name}.{member_name}"
                yield from _block("py", _signature(member_name, member))
                yield from self._text(member, name)

    def _text(self, found: Any, name: str) -> Iterator[str]:
        """Yield a docstring as markdown, with its sections as lists."""
        for section in _sections(found):
            kind = section.kind.value
            if kind == "text":
                yield f"\n{self._linked(section.value, name)}\n"
            elif kind in LISTS:
                yield f"\n**{kind.capitalize().replace('Parameters', 'Args')}**\n"
                for item in section.value:
                    yield self._linked(_item(item), name)
                yield ""
            else:
                # A section that nobody prints would be lost without notice.
                raise ValueError(f"{found.path}: a docstring has no {kind!r} section here")

    def _linked(self, text: str, page_name: str) -> str:
        """Return a text whose public names, in backticks, lead to their entries."""

        def link(match: re.Match[str]) -> str:
            # An entry does not lead to itself.
            if match[1] not in self.entries or match[1] == page_name:
                return match[0]
            return f"[{match[0]}]({self._anchor(match[1])})"

        return re.sub(r"(?<!\[)`(\w+)`", link, text)


def _block(language: str, text: str) -> list[str]:
    return ["", f"```{language}", text, "```", ""]


def _sections(found: Any) -> list[Any]:
    if found.docstring is None:
        return []
    return list(found.docstring.parse("google"))


def _items(found: Any, title: str) -> list[Any]:
    items = []
    for section in _sections(found):
        if section.kind.value == title:
            items += section.value
    return items


def _item(item: Any) -> str:
    """Return one argument, result or error as a line of a list."""
    name = getattr(item, "name", "")
    text = " ".join(item.description.split())
    if name:
        return f"- **{name}**: {text}"
    return f"- `{item.annotation}`: {text}"


def _signature(name: str, found: Any) -> str:
    """Return the signature of a function, or of a class as it is called, in lines that fit."""
    if not (found.is_function or found.is_class):
        if found.annotation:
            return f"{name}: {found.annotation}"
        return name
    if found.is_function:
        text = f"def {found.signature(name=name, return_type=True)}"
        if "async" in found.labels:
            text = f"async {text}"
    else:
        init = found.all_members.get("__init__")
        # A class without documented arguments is made by the package.
        if init is None or not (
            init.docstring or _items(found, "parameters") or "dataclass" in found.labels
        ):
            return f"class {name}"
        if init.is_alias:
            init = init.final_target
        public = [each for each in init.parameters if not each.name.startswith("_")]
        for parameter in public:
            if str(parameter.default).startswith("_"):
                parameter.default = "..."
        init.parameters = griffe.Parameters(*public)
        text = f"class {init.signature(name=name, return_type=False)}"
    if len(text) <= LINE_LENGTH:
        return text
    start, _, rest = text.partition("(")
    arguments, _, result = rest.rpartition(")")
    # Parameters have annotations, which tell their commas from those in types.
    lines = re.sub(r", (?=\*?\*?\w+: |\*, )", ",\n    ", arguments)
    return f"{start}(\n    {lines},\n){result}"
