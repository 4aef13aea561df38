"""RealtimeResponse is the documented model: the class, its page, and the page of the Java client.

The facts of the documented page stand here as data. The last test shows that the fragment with
its overlay is the source of such pages: the generator's own `java` target prints them from it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pytest

from openai_realtime_client import OpenEnum, v1
from openai_realtime_client.v1 import RealtimeResponse
from protocols import ROOT, V1
from trees import QUICK_JAVA


class Property(NamedTuple):
    """A row of the documented table; every property is optional."""

    java_name: str
    java_type: str
    name: str
    type: str


PROPERTIES = [
    Property("id", "String", "id", "str"),
    Property("_object", "ObjectEnum", "object", "ObjectEnum"),
    Property("status", "StatusEnum", "status", "StatusEnum"),
    Property(
        "statusDetails",
        "RealtimeResponseStatusDetails",
        "status_details",
        "RealtimeResponseStatusDetails",
    ),
    Property(
        "output", "List<RealtimeConversationItem>", "output", "list[RealtimeConversationItem]"
    ),
    Property("metadata", "Map<String, String>", "metadata", "dict[str, str]"),
    Property("usage", "RealtimeResponseUsage", "usage", "RealtimeResponseUsage"),
    Property("conversationId", "String", "conversation_id", "str"),
    Property("voice", "VoiceEnum", "voice", "VoiceEnum"),
    Property("modalities", "List<ModalitiesEnum>", "modalities", "list[ModalitiesEnum]"),
    Property(
        "outputAudioFormat", "OutputAudioFormatEnum", "output_audio_format", "OutputAudioFormatEnum"
    ),
    Property("temperature", "BigDecimal", "temperature", "float"),
    Property(
        "maxOutputTokens",
        "RealtimeResponseMaxOutputTokens",
        "max_output_tokens",
        "RealtimeResponseMaxOutputTokens",
    ),
]

STATUSES = ("completed", "cancelled", "failed", "incomplete")
VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")
FORMATS = ("pcm16", "g711_ulaw", "g711_alaw")
ENUMS = {
    "ObjectEnum": {"REALTIME_RESPONSE": "realtime.response"},
    "StatusEnum": {name.upper(): name for name in STATUSES},
    "VoiceEnum": {name.upper(): name for name in VOICES},
    "ModalitiesEnum": {"TEXT": "text", "AUDIO": "audio"},
    "OutputAudioFormatEnum": {name.upper(): name for name in FORMATS},
}


def test_the_class_has_the_properties_in_order() -> None:
    assert list(RealtimeResponse.model_fields) == [each.name for each in PROPERTIES]


@pytest.mark.parametrize("documented", PROPERTIES, ids=lambda each: each.name)
def test_the_class_has_the_types_and_all_are_optional(documented: Property) -> None:
    names = {**vars(v1), **vars(RealtimeResponse)}
    for name in re.findall(r"Realtime\w+", documented.type):
        names[name] = getattr(v1, name)
    expected = eval(f"{documented.type} | None", names)
    hints = get_type_hints(RealtimeResponse, include_extras=True)
    assert hints[documented.name] == expected
    field = RealtimeResponse.model_fields[documented.name]
    assert (field.is_required(), field.default) == (False, None)


def test_the_class_has_the_enums_and_no_others() -> None:
    nested = {
        name: {member.name: member.value for member in value}
        for name, value in vars(RealtimeResponse).items()
        if isinstance(value, type) and issubclass(value, OpenEnum)
    }
    # An alias, as every enum is named after its field: the union of the field has it.
    assert nested.pop("MaxOutputTokensEnum") == {"INF": "inf"}
    assert nested == ENUMS


def test_the_file_is_short_and_holds_no_behaviour() -> None:
    source = (ROOT / "openai_realtime_client/v1/models/realtime_response.py").read_text("utf-8")
    code = re.sub(r'^ *""".*?"""$\n', "", source, flags=re.MULTILINE | re.DOTALL)
    # All but the signature that type checkers read.
    run, checked = code.split("    if TYPE_CHECKING:\n\n        def __init__(\n")
    assert len(run.splitlines()) < 80
    assert "def " not in run
    signature, nullable = checked.split("        ) -> None:\n")
    assert "def " not in signature
    assert re.fullmatch(r"\n    __nullable__ = frozenset\(\{.*\}\)\n", nullable)


def test_the_page() -> None:
    page = (ROOT / "docs/v1/RealtimeResponse.md").read_text("utf-8")
    rows = [(plain(row["Name"]), plain(row["Type"])) for row in table(page, "## Properties")]
    assert rows == [(each.name, each.type) for each in PROPERTIES]
    assert all("[optional]" in row["Notes"] for row in table(page, "## Properties"))
    assert all(row["Description"] for row in table(page, "## Properties"))
    enums = {
        name: {row["Name"]: plain(row["Value"]) for row in table(page, f"## Enum: {name}")}
        for name in re.findall(r"## Enum: (.+)", page)
    }
    assert enums == ENUMS


def test_the_page_that_the_java_target_prints(tmp_path: Path) -> None:
    page = java_page("RealtimeResponse", tmp_path)
    rows = [(plain(row["Name"]), plain(row["Type"])) for row in table(page, "## Properties")]
    assert rows == [(each.java_name, each.java_type) for each in PROPERTIES]
    assert all("[optional]" in row["Notes"] for row in table(page, "## Properties"))
    enums = {
        re.sub(r"List<(\w+)>", r"\1", unescaped(name)): {
            row["Name"]: plain(row["Value"]).strip('"') for row in table(page, f"## Enum: {name}")
        }
        for name in re.findall(r"## Enum: (.+)", page)
    }
    assert enums == ENUMS


def java_page(model: str, folder: Path) -> str:
    document = folder / "merged.json"
    document.write_text(json.dumps(V1.document), encoding="utf-8")
    subprocess.run(
        [
            Path(sys.executable).parent / "openapi-generator-cli",
            *("generate", "-g", "java", "-i", document, "-o", folder / "java"),
            *("--global-property", f"models={model},modelDocs=true,modelTests=false"),
        ],
        check=True,
        capture_output=True,
        env=QUICK_JAVA,
    )
    return (folder / f"java/docs/{model}.md").read_text("utf-8")


def table(page: str, heading: str) -> list[dict[str, Any]]:
    """The rows of the table below a heading."""
    section = page.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def plain(cell: str) -> str:
    """A cell without its link and emphasis."""
    cell = re.sub(r"<[^>]*>", "", cell)
    return unescaped(re.sub(r"\]\([^)]*\)$", "", cell).removeprefix("[").strip("*`"))


def unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
