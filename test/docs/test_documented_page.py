"""RealtimeResponse is the documented model.

The facts of the documented page stand here as data; `test_pages.py` holds our page to the class.
"""

from __future__ import annotations

import re
from typing import get_type_hints

from openai_realtime_client import OpenEnum, v1
from openai_realtime_client.v1 import RealtimeResponse
from protocols import ROOT, V1

# The properties with their Java types; all are optional.
PROPERTIES = {
    "id": "String",
    "object": "ObjectEnum",
    "status": "StatusEnum",
    "status_details": "RealtimeResponseStatusDetails",
    "output": "List<RealtimeConversationItem>",
    "metadata": "Map<String, String>",
    "usage": "RealtimeResponseUsage",
    "conversation_id": "String",
    "voice": "VoiceEnum",
    "modalities": "List<ModalitiesEnum>",
    "output_audio_format": "OutputAudioFormatEnum",
    "temperature": "BigDecimal",
    "max_output_tokens": "RealtimeResponseMaxOutputTokens",
}
PYTHON = {
    "List<": "list[",
    "Map<": "dict[",
    ">": "]",
    "String": "str",
    "BigDecimal": "float",
}

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


def test_the_class_has_the_properties_in_order_and_all_are_optional() -> None:
    assert list(RealtimeResponse.model_fields) == list(PROPERTIES)
    hints = get_type_hints(RealtimeResponse, include_extras=True)
    names = {public: getattr(v1, public) for public in V1.public()} | vars(RealtimeResponse)
    for name, java_type in PROPERTIES.items():
        python_type = re.sub("|".join(PYTHON), lambda found: PYTHON[found[0]], java_type)
        expected = eval(f"{python_type} | None", names)
        assert hints[name] == expected, name
        field = RealtimeResponse.model_fields[name]
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
