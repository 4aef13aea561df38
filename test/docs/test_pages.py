"""What the generated pages say: who uses a class, what the wire does, and tables that fit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import openai_realtime_client.shared
import openai_realtime_client.testing
from docs import DOCS, PAGES, Page, found_in, page_at, without_links
from protocols import PROTOCOLS, REALTIME, ROOT, Protocol
from spec import load

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.name)

# The longest words of a row that fit side by side on a page of 1,012 pixels, as seen in a browser.
WIDEST_ROW = 124


def page(protocol: Protocol, name: str) -> Page:
    return page_at(DOCS / protocol.name / f"{name}.md")


def section(page: Page, heading: str) -> str:
    return page.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


# Form


def test_the_only_html_is_anchors_and_places_to_break_a_name() -> None:
    def tags(page: Page) -> set[str]:
        text = re.sub(r'`[^`\n]*`|<a id="field-\w+"></a>', "", page.prose)
        return {*re.findall(r"<[a-zA-Z/][^>\s]*", text)} - {"<wbr"}

    assert found_in(PAGES, tags) == {}


def test_tables_fit_on_the_page() -> None:
    def wide(page: Page) -> list[list[str]]:
        return [table[0] for table in page.tables if width(table) > WIDEST_ROW]

    assert found_in(PAGES, wide) == {}


def width(table: list[list[str]]) -> int:
    return sum(max(map(longest_word, column)) for column in zip(*table, strict=True))


def longest_word(cell: str) -> int:
    """The length of what a browser cannot break, without emphasis and the targets of links."""
    text = re.sub(r"\]\([^)]*\)|<a id=[^>]*></a>|\*\*|`", "", cell)
    return max(map(len, re.split(r"[ -]|<wbr>", text)))


@each_protocol
def test_descriptions_of_fields_are_whole(protocol: Protocol) -> None:
    for name in protocol.public():
        fields = protocol.schemas[name].get("properties", {})
        if fields:
            for (field, schema), row in zip(
                fields.items(), field_rows(protocol, name), strict=True
            ):
                described = " ".join(schema["description"].split())
                shown = without_links(row[2]).replace("\\|", "|").strip()
                constant = r"(,| is)? always `[^`]*`"
                assert re.sub(constant, "", shown) == re.sub(constant, "", described), field
    assert found_in(PAGES, lambda page: re.findall(r"… \|", page.prose)) == {}


def field_rows(protocol: Protocol, name: str) -> list[list[str]]:
    """The rows of the table of a class's fields."""
    return next(t for t in page(protocol, name).tables if " Description " in t[0])[2:]


# As on a code host's page of 1,012 pixels, where text has 8 pixels a letter on average.
PAGE_WIDTH, PADDING, LETTER = 948, 26, 8


@each_protocol
def test_descriptions_of_fields_have_a_third_of_the_width(protocol: Protocol) -> None:
    for name in protocol.public():
        if "properties" in protocol.schemas[name]:
            names, types, _, notes = zip(*field_rows(protocol, name), strict=True)
            taken = [max(map(longest_word, column)) for column in (names, types, notes)]
            assert sum(taken) * LETTER + 4 * PADDING < PAGE_WIDTH * 2 / 3, name


NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[0-9]+"
COUNTED = "events|members|models|classes|values|voices|fields|formats|guides|methods|pages"


def test_prose_counts_nothing_that_a_fragment_changes() -> None:
    count = re.compile(rf"\b(?:{NUMBERS}) (?:client |server )?(?:{COUNTED})\b", re.IGNORECASE)
    # The limits in docstrings are those of the package.
    pages = [page for page in PAGES if page.path.parent.name != "reference"]
    assert found_in(pages, lambda page: count.findall(page.prose)) == {}


def test_the_spelling() -> None:
    codespell = Path(sys.executable).with_name("codespell")
    found = subprocess.run([codespell, "docs"], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert found.stdout == b""


def test_no_template_shows() -> None:
    ours = re.compile(r"\{\{[^}]*|TODO|x-(?!www)[a-z]+-[a-z]+")
    assert found_in(PAGES, lambda page: ours.findall(page.prose)) == {}


# Content


@each_protocol
def test_the_properties_are_those_of_the_class(protocol: Protocol) -> None:
    names = {name: getattr(protocol.module, name) for name in protocol.public()}
    for name in protocol.public():
        properties = protocol.schemas[name].get("properties")
        if properties is None:
            continue
        model = names[name]
        rows = [[bare(cell) for cell in row] for row in field_rows(protocol, name)]
        assert [row[0] for row in rows] == list(model.model_fields)
        hints = get_type_hints(model, include_extras=True)
        required = protocol.schemas[name].get("required", [])
        for field, (cell, kind, _, notes) in zip(properties, rows, strict=True):
            shown = re.sub(r"^\[|\]\([^)]*\)$", "", kind)
            hint = hints[cell]
            if "[always" in notes:
                assert shown == "str"
            else:
                known = {**names, **vars(model), "Any": Any}
                assert hint in (eval(shown, known), eval(f"{shown} | None", known)), (name, field)
            child = properties[field]
            assert ("[optional]" in notes) == (field not in required), (name, field)
            assert ("[nullable]" in notes) == child.get("nullable", False), (name, field)
            default = child.get("default")
            is_said = f"[default `{json.dumps(default)}`]" in notes or "[always" in notes
            assert default is None or is_said, (name, field)


@each_protocol
def test_the_members_are_those_of_the_union(protocol: Protocol) -> None:
    for name in protocol.public():
        mapping = protocol.schemas[name].get("discriminator", {}).get("mapping")
        if mapping:
            text = page(protocol, name).text
            rows = re.findall(r"^\| (`.*?) \| .*\]\((\w+)\.md\) \|$", text, re.MULTILINE)
            shown = {kind.strip("` "): to for kinds, to in rows for kind in kinds.split(",")}
            assert shown == {kind: path.rpartition("/")[2] for kind, path in mapping.items()}, name


def bare(cell: str) -> str:
    """A cell without its anchor, emphasis and places to break."""
    return re.sub(r"<[^>]*>|\*\*", "", cell).strip()


def test_every_class_says_what_uses_it() -> None:
    unused = set()
    for protocol in PROTOCOLS:
        whole = json.dumps(protocol.document)
        for name in protocol.public():
            used_by = section(page(protocol, name), "Used by")
            found = re.findall(r"^- \*\*(\w+)\*\*: ", used_by, re.MULTILINE)
            is_used = f'"$ref": "#/components/schemas/{name}"' in whole
            assert ("Fields" in found or "Unions" in found or "HTTP" in found) == is_used, name
            assert found
            unused |= {f"{protocol.name}/{name}"} if "Nothing" in found else set()
            for function in re.findall(r"`((?:parse|connect)\w*)`", used_by):
                assert hasattr(protocol.module, function)
    assert unused == {"ga/RealtimeSession", "ga/RealtimeConversationItemWithReference"}


@each_protocol
def test_a_field_links_to_its_class_and_back(protocol: Protocol) -> None:
    for name in protocol.public():
        for field, schema in protocol.schemas[name].get("properties", {}).items():
            for used in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(schema)):
                if (DOCS / protocol.name / f"{used}.md").exists():
                    back = rf"\[`{name}\.{field}_?`\]\({name}\.md#field-{field}\)"
                    assert re.search(back, section(page(protocol, used), "Used by"))
                    assert f"]({used}.md)" in section(page(protocol, name), "Properties")


PLACES = {
    "v1/RealtimeSessionTurnDetection": ["`session.turn_detection` in [`session.update`]"],
    "ga/RealtimeTurnDetectionSemanticVad": [
        "`session.audio.input.turn_detection` in [`session.update`]",
        "[`session.created`]",
        "with fields such as `session.audio.input.turn_detection.eagerness`",
    ],
    "ga/RealtimeAudioFormatsPcm": ["`session.audio.input.format`", "`session.audio.output.format`"],
    "ga/RealtimeResponseUsage": ["`response.usage` in [`response.created`]"],
    "ga/RealtimeCallRejectRequest": [],
}


@pytest.mark.parametrize("name", PLACES)
def test_a_class_says_at_which_paths_it_stands(name: str) -> None:
    paths = re.findall(r"^- \*\*Path\*\*: (.*)$", page_at(DOCS / f"{name}.md").text, re.MULTILINE)
    assert [part for part in PLACES[name] if part not in "\n".join(paths)] == []
    assert bool(paths) == bool(PLACES[name])


def test_the_tree_of_a_session_leads_to_every_field() -> None:
    tree = section(page_at(DOCS / "ga/RealtimeSessionCreateRequestGA.md"), "Tree")
    rows = re.findall(r"^( *)- (.*?)\[`(\w+)`\]\(([^)]*)\)", tree, re.MULTILINE)
    assert len(rows) == len(tree.strip().splitlines())
    above: list[str] = []
    paths = {}
    for indent, _as, name, link in rows:
        above[len(indent) // 2 :] = [name]
        paths[".".join(above)] = link
    eagerness = "audio.input.turn_detection.RealtimeTurnDetectionSemanticVad.eagerness"
    assert paths[eagerness] == "RealtimeTurnDetectionSemanticVad.md#field-eagerness"
    assert [
        path for path in paths if path.startswith("audio.output.format.") and "rate" in path
    ] == []


@each_protocol
def test_each_reason_of_the_overlay_stands_where_it_applies(protocol: Protocol) -> None:
    pages = [page(protocol, name) for name in protocol.public()]
    text = "\n".join(without_links(each.text) for each in pages)
    overlay = ROOT / f"openapi/overlays/{protocol.name}.yaml"
    actions: list[dict[str, Any]] = load(overlay)["actions"] if overlay.exists() else []
    reasons = [" ".join(each["description"].split()).rstrip(".") for each in actions]
    about_schemas = [
        reason
        for action, reason in zip(actions, reasons, strict=True)
        if ".schemas" in action["target"] and not re.search("(next|previous) action", reason)
    ]
    assert [reason for reason in about_schemas if reason not in text] == []


@each_protocol
def test_notes_about_the_wire_stand_below_the_table(protocol: Protocol) -> None:
    for name in protocol.public():
        schema = protocol.schemas[name]
        notes = without_links(section(page(protocol, name), "On the wire")).splitlines()
        expected = [f"- {text}" for text in schema.get("x-wire", [])]
        for field, child in schema.get("properties", {}).items():
            row = next(
                r for r in field_rows(protocol, name) if f'"field-{field.strip("_")}"' in r[3]
            )
            assert ("[on the wire](#on-the-wire)" in row[3]) == ("x-wire" in child), field
            if "x-wire" in child:
                expected.append(f"- **{bare(row[0])}**: {' '.join(child['x-wire'])}")
        assert [note for note in notes if note.startswith("- ")] == expected


def test_what_is_not_published_is_marked_at_its_field() -> None:
    notes = section(page_at(DOCS / "ga/RealtimeServerEventResponseTextDelta.md"), "On the wire")
    assert "\n- **obfuscation**: Not in the published schema." in notes
    notes = section(page_at(DOCS / "v1/RealtimeResponse.md"), "On the wire")
    assert "- **status_details**: `null` while the response runs, and in most that comp" in notes


@each_protocol
def test_a_note_about_the_wire_is_for_readers(protocol: Protocol) -> None:
    ours = r"\b(action|overlay|fragment|anyOf|oneOf|openai \d|must be able|dump|Removed|Reported)\b"
    for name in protocol.public():
        notes = without_links(section(page(protocol, name), "On the wire")).splitlines()
        assert [note for note in notes if re.search(ours, note)] == []
        assert [note for note in notes if re.search(r"(?<!`)\b[Nn]ull\b(?!`)", note)] == []


def test_the_wire_of_a_request_stands_at_its_method() -> None:
    text = section(page_at(DOCS / "ga/RealtimeApi.md"), "create_realtime_call")
    assert "On the wire: The service labels the SDP answer `text/plain`" in text


@each_protocol
def test_every_class_says_which_protocols_have_it(protocol: Protocol) -> None:
    others = [other for other in PROTOCOLS if other is not protocol]
    titles = {"v1": "v1", "ga": "GA"}
    title = titles.get(protocol.name, protocol.name)
    for name in protocol.public():
        [line] = re.findall(r"^- \*\*Available\*\*: (.+)$", page(protocol, name).text, re.MULTILINE)
        alike = [other for other in others if name in other.public()]
        assert line.startswith(f"in {title} " + ("and" if alike else "only"))
        assert re.findall(r"\]\(\.\./(\w+)/", line.partition(", over")[0]) == [
            other.name for other in alike
        ]
        fields = protocol.schemas[name].get("properties", {})
        rows = field_rows(protocol, name) if fields else []
        notes = {bare(row[0]): row[3] for row in rows}
        for field in fields:
            elsewhere = [other.schemas[name].get("properties", {}) for other in alike]
            is_alone = bool(alike) and not any(field in fields for fields in elsewhere)
            note = notes.get(field) or notes[f"{field}_"]
            assert (f"[{title} only]" in note) == is_alone


@each_protocol
def test_the_enums_of_a_page_are_those_of_its_schema(protocol: Protocol) -> None:
    for name in protocol.public():
        schema = protocol.schemas[name]
        found = {
            re.sub(r"_", "", heading.lower()): set(
                re.findall(r"^\| [\w<>]+ \| `([^`]*)`", body, re.M)
            )
            for heading, body in re.findall(
                r"^## Enum: (\w+)Enum\n(.*?)(?=^## |\Z)", page(protocol, name).text, re.M | re.S
            )
        }
        expected = {}
        for field, child in schema.get("properties", {}).items():
            values = (child.get("items") or child).get("enum", [])
            constant = len(values) == 1 and (field in schema.get("required", []) or field == "type")
            is_string = all(isinstance(value, str) for value in values)
            if is_string and not constant and values:
                expected[re.sub(r"\W|_", "", field.lower())] = {*values}
        if "properties" in schema:
            assert found == expected, name
        elif "enum" in schema:
            values = set(re.findall(r"^\| [\w<>]+ \| `([^`]*)`", page(protocol, name).text, re.M))
            assert values == {*schema["enum"]}, name


LIMITS = {
    r"at most ([\d.]*\d) characters": "maxLength",
    r"from ([\d.]*\d) to": "minimum",
    r"from [\d.]+ to ([\d.]*\d)": "maximum",
    r"[Tt]he default is ([\d.]*\d)": "default",
}


def test_limits_in_prose_are_those_of_the_schema_and_the_same_everywhere() -> None:
    seen: dict[tuple[str, str], set[float]] = defaultdict(set)
    for protocol in PROTOCOLS:
        for name in protocol.public():
            for field, child in protocol.schemas[name].get("properties", {}).items():
                said = child["description"]
                for phrase, key in LIMITS.items():
                    found = {float(each) for each in re.findall(phrase, said)}
                    assert not found or key not in child or found == {child[key]}, (name, field)
                    seen[field, key] |= found
    assert {place: found for place, found in seen.items() if len(found) > 1} == {}


def test_members_of_a_union_have_their_type_first() -> None:
    for found in PAGES:
        for table in found.tables:
            if "Members" in found.headings and len(table[0]) == 2 and " Type " in table[0]:
                assert table[0][1] == " Type "


# What each event says of itself

EVENT_PAGES = [
    page
    for page in PAGES
    if "\n- **Event**: " in page.text and page.path.parent.name in {each.name for each in REALTIME}
]


@pytest.mark.parametrize("page", EVENT_PAGES, ids=lambda page: page.name)
def test_every_event_says_when_it_is_sent_and_what_follows(page: Page) -> None:
    facts = dict(re.findall(r"^- \*\*([^*]+)\*\*: (.+)$", page.text.partition("\n## ")[0], re.M))
    expected = {
        "client": {"Confirmed by", "Refused with"},
        "server": {"Sent when", "Answered with"},
    }
    direction = facts["Event"].rpartition(" ")[2]
    assert expected.get(direction, set()) <= facts.keys()
    assert "over " in facts["Available"]
    # The name of an event is a link; what is left of such names is none of an event.
    assert re.findall(r"(?<!\[)`[a-z_]+(?:\.[a-z_]+)+`", "".join(list(facts.values())[1:])) == []


# The pages about a whole protocol


@each_protocol
def test_the_index_has_every_field_and_value_and_no_other(protocol: Protocol) -> None:
    fields, values = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for name in protocol.public():
        schema = protocol.schemas[name]
        properties = schema.get("properties", {})
        for field in {*properties} - {"type", "event_id"}:
            fields[field].add(name)
        members = schema.get("anyOf", []) + schema.get("oneOf", [])
        for part in (schema, *properties.values(), *members):
            for value in (part.get("items") or part).get("enum", []):
                values[str(value)].add(name)
    index = page(protocol, "index")
    assert listed(section(index, "Fields")) == fields
    assert listed(section(index, "Enum values")) == values


def listed(text: str) -> dict[str, set[str]]:
    """The entries of an index, with the classes that they link."""
    lines = re.findall(r"^- `(.*)`: (.*)$", text, re.MULTILINE)
    return {entry: set(re.findall(r"\]\((\w+)\.md[#)]", links)) for entry, links in lines}


def test_the_reference_describes_every_public_name_written_by_hand() -> None:
    public = {"connect", "connect_sync", "openai-realtime check"}
    for module in (openai_realtime_client.shared, openai_realtime_client.testing):
        for name in dir(module):
            described = getattr(getattr(module, name), "__module__", "")
            if re.match("[A-Za-z]", name) and described.startswith("openai_realtime_client."):
                public.add(name)
    public -= {"lazy_names"}
    pages = [page for page in PAGES if page.path.parent == DOCS / "reference"]
    found = {heading for page in pages for heading in page.headings}
    assert public - found == set()
    undescribed = [
        heading
        for page in pages
        for heading, body in re.findall(r"^##+ ([^\n]*)\n(.*?)(?=^##|\Z)", page.text, re.M | re.S)
        if not re.sub(r"```.*?```", "", body, flags=re.S).strip()
    ]
    assert undescribed == []


def test_the_reference_shows_the_arguments_that_it_describes() -> None:
    for page in (page for page in PAGES if page.path.parent == DOCS / "reference"):
        for entry in re.split(r"^##+ ", page.text, flags=re.MULTILINE)[1:]:
            if "\n**Args**\n" in entry:
                assert re.search(r"^(class|(async )?def) \w+\(", entry, re.MULTILINE), entry[:40]


def test_the_reference_shows_the_arguments_of_connect_and_commands() -> None:
    text = section(page_at(DOCS / "reference/realtime.md"), "connect")
    assert "\nclass connect(\n    model: str | None = None,\n    *,\n" in text
    assert re.search(r"^- \*\*base_url\*\*: .*`OPENAI_BASE_URL`", text, re.MULTILINE)
    serve = section(page_at(DOCS / "reference/cli.md"), "openai-realtime serve")
    assert "\n| `--tls CERT KEY` | serve TLS with these PEM files |\n" in serve


def test_llms_txt_and_the_front_page_lead_to_all_guides_and_references() -> None:
    guides = {f"guides/{guide.name}" for guide in (DOCS / "guides").glob("*.md")}
    names = ("README.md", "index.md")
    references = {f"{each.name}/{name}" for each in REALTIME for name in names}
    references.add("reference/README.md")
    text = (DOCS / "llms.txt").read_text("utf-8")
    found = set(re.findall(r"\]\(([^)]+)\)", text))
    assert found == guides | references | {"../README.md", "README.md"}
    for guide in guides:
        title = page_at(DOCS / guide).headings[0]
        assert f"- [{title}]({guide})" in text
    front = {file for file, _ in page_at(DOCS / "README.md").links}
    assert {DOCS / each for each in guides | references} - front == set()
    assert DOCS / "llms.txt" in front
