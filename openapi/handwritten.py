"""Write `docs/reference/` from the signatures and docstrings of what is written by hand.

Run as a program, it prints the page of the command line that it can import.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

PACKAGE = "openai_realtime_client"
# Where public names are collected: what a module imports from the package is public there.
EXPORTS = {"shared": f"{PACKAGE}.ga", "audio": f"{PACKAGE}.audio", "testing": f"{PACKAGE}.testing"}
# What the `connect…` functions of each protocol are made of.
CONNECTORS = {"AsyncConnector": "connect", "Connector": "connect_sync"}
# The pages: their rooms of the package, their titles and what they hold.
PAGES = {
    "realtime": (
        "Connections",
        "`connect`, the connections that it opens, and records.",
    ),
    "conversation": ("The conversation", "What the events of sessions amount to; playback."),
    "http": ("HTTP", "The client of the HTTP API and its configuration."),
    "errors": ("Errors", "Every exception of the package."),
    "core": ("Models and events", "What all generated classes share."),
    "audio": ("Audio devices", "Microphone and loudspeaker."),
    "testing": (
        "Testing",
        "The embedded server, its answers, and a check of any server.",
    ),
    "cli": ("The command line", "`openai-realtime`, or `python -m openai_realtime_client`."),
}
LINE_LENGTH = 88
STARS = {"variadic positional": "*", "variadic keyword": "**"}
LABELS = {"parameters": "Args", "returns": "Returns", "yields": "Yields", "raises": "Raises"}
LABELS |= {"attributes": "Attributes", "other parameters": "Args"}
Entry = tuple[str, Any]


class Reference:
    """The pages of the package in a folder; `complete` has the generated parts, too."""

    def __init__(self, folder: Path, complete: Path) -> None:
        self.complete = complete
        self.package = griffe.load(PACKAGE, search_paths=[folder], try_relative_path=False)
        # The entries of each page, by name, with the module from which users import them.
        self.pages: dict[str, dict[str, Entry]] = {name: {} for name in PAGES}
        self.anchors: dict[str, str] = {}
        for module, imported_from in EXPORTS.items():
            # A copy of the package may lack what has extra dependencies.
            if module in self.package.members:
                self._collect(self.package[module], imported_from)
        for module in self.package["realtime"].modules.values():
            for name, public in CONNECTORS.items():
                if name in module.classes:
                    self._add("realtime", public, f"{PACKAGE}.ga", module.classes[name])

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
            self._add(page, name, imported_from, self.package[".".join(path[1:])])

    def _add(self, page: str, name: str, imported_from: str, found: Any) -> None:
        self.pages[page][name] = (imported_from, found)
        self.anchors[name] = f"{page}.md#{name.lower()}"

    def write(self, folder: Path, header: str) -> None:
        """Write a page for each room that has public names, and their index."""
        folder.mkdir(parents=True)
        about = "What is written by hand, from its signatures and docstrings."
        index = ["# Reference", "", about, ""]
        for name, (title, text) in PAGES.items():
            lines = list(self._page(self.pages[name]))
            if name == "cli":
                # In a process of its own: this one has imported the package as it was before.
                environment = {**os.environ, "PYTHONPATH": str(self.complete), "NO_COLOR": "1"}
                command = (sys.executable, "-B", __file__)
                lines = subprocess.check_output(command, text=True, env=environment).splitlines()
            # A room without public names has no page.
            if not lines:
                continue
            index.append(f"- [{title}]({name}.md): {text}")
            for public in sorted(self.pages[name], key=str.lower):
                index.append(f"  - [`{public}`]({self.anchors[public]})")
            body = "\n".join([f"# {title}", "", text, "", *lines, "[Reference](README.md)"])
            (folder / f"{name}.md").write_text(f"{header}\n\n{body}\n", "utf-8")
        index += ["", "[Documentation](../README.md)"]
        (folder / "README.md").write_text("\n".join([header, "", *index, ""]), "utf-8")

    def _page(self, entries: dict[str, Entry]) -> Iterator[str]:
        yield from _tree(entries)
        # The constructors that stand on the page already, with the class that has them.
        described: dict[str, str] = {}
        # Functions that connect stand first.
        for name in sorted(
            entries, key=lambda name: (not name.startswith("connect"), name.lower())
        ):
            imported_from, found = entries[name]
            yield from [f"## {name}", ""]
            # Classes that inherit their constructor share its path.
            init = found.all_members.get("__init__", found)
            same = described.get(init.canonical_path)
            signature = _signature(name, found)
            if same:
                signature = [f"class {name}(…)"]
            # An exception is caught and not made.
            if not name.endswith("Error"):
                yield from _block("py", [f"from {imported_from} import {name}", "", *signature])
            # The arguments are described once for all classes that share them.
            yield from self._text(found, name, with_init=not same)
            if same:
                yield from [f"Its arguments are those of [`{same}`](#{same.lower()}).", ""]
            elif init is not found and init.docstring:
                described[init.canonical_path] = name
            if found.is_class:
                yield from self._members(name, found)

    def _members(self, name: str, found: Any) -> Iterator[str]:
        """Yield the public methods and properties of a class, with those of private bases."""
        members = dict(found.members)
        for base in found.mro():
            # A public base has an entry of its own.
            is_public = base.name in self.anchors or base.name in CONNECTORS
            if not is_public and base.path.startswith(PACKAGE):
                members = {**base.members, **members}
        described = {item.name for item in _items(found, "attributes")}
        for member_name, member in members.items():
            if member_name.startswith("_") or member.is_alias or not member.docstring:
                continue
            if member_name not in described:
                yield from [f"### {name}.{member_name}", ""]
                yield from _block("py", _signature(member_name, member))
                yield from self._text(member, name)

    def _text(self, found: Any, page_name: str, *, with_init: bool = True) -> Iterator[str]:
        """Yield a docstring as markdown, with its sections as lists."""
        sections = _sections(found)
        if with_init and "__init__" in found.all_members:
            sections += _sections(found.all_members["__init__"])
        for section in sections:
            kind = section.kind.value
            if kind == "text":
                yield from [self._linked(section.value, page_name), ""]
            elif kind in LABELS:
                yield from [f"**{LABELS[kind]}**", ""]
                for item in section.value:
                    yield self._linked(_item(item), page_name)
                yield ""
            elif kind == "examples":
                for _kind, text in section.value:
                    yield from _block("py", [text])
            else:
                # A section that nobody prints would be lost without notice.
                raise ValueError(f"{found.path}: a docstring has no {kind!r} section here")

    def _linked(self, text: str, page_name: str) -> str:
        """Return a text whose public names, in backticks, lead to their entries."""

        def link(match: re.Match[str]) -> str:
            anchor = self.anchors.get(match[1])
            # An entry does not lead to itself.
            if anchor is None or match[1] == page_name:
                return match[0]
            return f"[{match[0]}]({anchor})"

        return re.sub(r"(?<!\[)`(\w+)`", link, text)


def _print_commands() -> None:
    """Print what each command takes, from the parser that `main` uses."""
    from openai_realtime_client.cli import _build_parser

    parser = _build_parser("openai-realtime")
    commands = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            commands += action.choices.values()
    for command in commands:
        print(f"## {command.prog}\n")
        # argparse fills the name in only where it prints itself.
        about = (command.description or "").strip().replace("%(prog)s", command.prog)
        if about:
            print(re.sub(r"(?<!\n)\n(?!\n)", " ", about), end="\n\n")
        rows = []
        formatter = command._get_formatter()
        for action in command._actions:
            if not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction)):
                text = formatter._expand_help(action).replace("|", "\\|")
                rows.append(f"| `{formatter._format_action_invocation(action)}` | {text} |")
        if rows:
            print("| Argument | Description |", "| --- | --- |", *rows, "", sep="\n")
        more = (command.epilog or "").strip("\n").replace("%(prog)s", command.prog)
        if more:
            print(*_block("text", [more]), sep="\n")


def _tree(entries: dict[str, Entry]) -> Iterator[str]:
    """Yield the exceptions of a page below their bases, if it has any."""
    bases: dict[str, list[str]] = {}
    for name, (_module, found) in entries.items():
        if name.endswith("Error") and found.is_class:
            base = str(found.bases[0]).rpartition(".")[2]
            bases.setdefault(base, []).append(name)

    def below(base: str, indent: str) -> Iterator[str]:
        for name in sorted(bases.get(base, [])):
            text = str(entries[name][1].docstring.value).partition("\n\n")[0].replace("\n", " ")
            yield f"{indent}- [`{name}`](#{name.lower()}): {text}"
            yield from below(name, indent + "  ")

    yield from [*below("Exception", ""), ""]


def _block(language: str, lines: list[str]) -> list[str]:
    return [f"```{language}", *lines, "```", ""]


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
    if item.annotation:
        return f"- `{item.annotation}`: {text}"
    return f"- {text}"


def _signature(name: str, found: Any) -> list[str]:
    """Return the signature of a function, or of a class as it is called, in lines that fit."""
    if found.is_class and found.bases and str(found.bases[0]).endswith(("TypedDict", "Enum")):
        return [f"class {name}"]
    if not (found.is_function or found.is_class):
        if found.annotation:
            name = f"{name}: {found.annotation}"
        return [name]
    init = found.all_members.get("__init__")
    # What has no documented arguments is made by the package.
    is_described = init is None or init.docstring or _items(found, "parameters")
    if not is_described and "dataclass" not in found.labels:
        return [f"class {name}"]
    start = "def "
    if found.is_class:
        start = "class "
    elif "async" in found.labels:
        start = "async def "
    result = ""
    if found.is_function and found.returns is not None:
        result = f" -> {found.returns}"
    arguments = list(_arguments(found.parameters))
    line = f"{start}{name}({', '.join(arguments)}){result}"
    if len(line) <= LINE_LENGTH:
        return [line]
    return [f"{start}{name}(", *(f"    {argument}," for argument in arguments), f"){result}"]


def _arguments(parameters: Any) -> Iterator[str]:
    """Yield each parameter as it is written, without `self`."""
    has_star = False
    for parameter in parameters:
        if parameter.name in ("self", "cls"):
            continue
        kind = parameter.kind.value
        # Python shows where keywords begin by a star of its own.
        if kind == "keyword-only" and not has_star:
            has_star = True
            yield "*"
        has_star = has_star or kind == "variadic positional"
        text = STARS.get(kind, "") + parameter.name
        if parameter.annotation is not None:
            text += f": {parameter.annotation}"
        if parameter.default is not None and not kind.startswith("variadic"):
            # PEP 8: spaces around `=` only after an annotation.
            equals = "="
            if parameter.annotation is not None:
                equals = " = "
            text += f"{equals}{parameter.default}"
        yield text


if __name__ == "__main__":
    _print_commands()
