"""RealtimeModel: what goes in comes out, and what does not fit is named."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from mutation import same
from openai_realtime_client import Deviation, deviations, ga, to_dict
from openai_realtime_client.v1 import (
    InvalidModelError,
    RealtimeClientEventResponseCreate,
    RealtimeClientEventSessionUpdate,
    RealtimeConversationItem,
    RealtimeModel,
    RealtimeResponse,
    RealtimeResponseCreateParams,
    RealtimeResponseCreateParamsTool,
    RealtimeResponseMaxOutputTokens,
    RealtimeResponseMaxOutputTokensEnum,
    RealtimeServerEventError,
    RealtimeSessionCreateRequest,
    VoiceIdsSharedEnum,
    parse_server_event,
)


def assert_round_trip(model: type[RealtimeModel], wire: dict[str, Any]) -> None:
    """Both directions, by text and by dictionary."""
    for parsed in (model.from_json(json.dumps(wire)), model.from_dict(wire)):
        assert same(json.loads(parsed.to_json()), wire)
        assert same(parsed.to_dict(), wire)


@pytest.mark.parametrize(
    "wire",
    [
        {"id": None, "metadata": {"a": "b", "c": None}},
        {"status": "in_progress", "voice": "brand_new", "modalities": ["text", "smell"]},
        {"unknown": {"deep": [1, 2.5, None, True, {"x": "y"}]}},
        {"output": [{"type": "message", "content": [{"type": "audio", "new": 1}]}, None]},
        {"temperature": 1},
        {"temperature": 1.0},
        {"temperature": 9007199254740993, "usage": {"total_tokens": 2**70}},
        {"id": 'quote " backslash \\ newline \n nul \x00 emoji 🎙 \u2028'},
        {"": 1, "model_config": 2, "self": 3, "to_json": 4, "__class__": 5},
    ],
)
def test_round_trip(wire: dict[str, Any]) -> None:
    assert_round_trip(RealtimeResponse, wire)


def test_assigning_none_sends_null() -> None:
    session = RealtimeSessionCreateRequest(instructions="Be brief.")
    session.turn_detection = None
    assert session.to_dict() == {"instructions": "Be brief.", "turn_detection": None}


TOOL = RealtimeResponseCreateParamsTool(name="get_weather")
WITH_TOOL = RealtimeResponseCreateParams(tools=[TOOL])
CREATE = {"type": "response.create"}


def test_constants_are_sent_without_being_passed() -> None:
    nested = {"tools": [{"type": "function", "name": "get_weather"}]}
    models: list[tuple[RealtimeModel, Any]] = [
        (RealtimeClientEventResponseCreate(), CREATE),
        (RealtimeClientEventResponseCreate(response=WITH_TOOL), {**CREATE, "response": nested}),
        # An optional constant is not sent.
        (RealtimeConversationItem(id="i"), {"id": "i"}),
    ]
    for model, wire in models:
        assert model.to_dict() == wire
        assert json.loads(model.to_json()) == wire


def test_constants_are_not_added_by_parsing() -> None:
    assert_round_trip(RealtimeResponseCreateParamsTool, {"name": "get_weather"})
    made = RealtimeClientEventResponseCreate()
    for event in (made, RealtimeClientEventResponseCreate.from_json(made.to_json())):
        assert event.type is RealtimeClientEventResponseCreate.TypeEnum.RESPONSE_CREATE


def test_union_with_an_enum_gives_it() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(RealtimeResponseMaxOutputTokens)
    for wire, member in (("5", 5), ('"inf"', RealtimeResponseMaxOutputTokensEnum.INF)):
        parsed = adapter.validate_json(wire)
        assert (type(parsed), parsed) == (type(member), member)
    for wrong in ("true", "[]", "1.5"):
        with pytest.raises(ValidationError):
            adapter.validate_json(wrong)


def test_dictionaries_become_models_and_strings_enums() -> None:
    for voice in ("ash", "someone"):
        event = RealtimeClientEventSessionUpdate(session={"voice": voice})  # type: ignore[arg-type]
        assert isinstance(event.session, RealtimeSessionCreateRequest)
        assert isinstance(event.session.voice, VoiceIdsSharedEnum)


def test_an_instance_in_a_union_is_kept_as_it_is() -> None:
    class OwnTool(ga.RealtimeFunctionTool):
        """A class of the user."""

    user = ga.RealtimeConversationItemMessageUser(role="user", content=[])
    items = [user, ga.RealtimeConversationItemReference(id="i"), ga.UnknownModel(type="new")]
    tools = [ga.RealtimeFunctionTool(name="f"), OwnTool(name="g"), ga.UnknownModel(type="new")]
    made = ga.RealtimeResponseCreateParams(input=items, tools=tools)  # type: ignore[arg-type]
    assert made.input
    assert made.tools
    assert list(map(id, [*made.input, *made.tools])) == list(map(id, [*items, *tools]))


@pytest.mark.parametrize("wrong", [ga.RealtimeConversationItemReference(id="i"), 1, "function", []])
def test_what_is_not_a_member_of_a_union_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidModelError, match=r"^RealtimeResponseCreateParams: tools\[0\]: "):
        ga.RealtimeResponseCreateParams(tools=[wrong])


def test_models_compare_copy_and_pickle() -> None:
    response = RealtimeResponse.from_dict({"id": "a", "status": "new", "x": [1], "usage": None})
    for again in (
        copy.deepcopy(response),
        response.model_copy(deep=True),
        pickle.loads(pickle.dumps(response)),
    ):
        assert again == response
        assert again.to_json() == response.to_json()
    assert response != RealtimeResponse.from_dict({"id": "b"})


def test_pydantics_own_methods_work() -> None:
    response = RealtimeResponse.model_validate_json('{"status":"failed"}')
    assert response.model_dump(exclude_unset=True) == {"status": "failed"}
    assert response.model_dump_json(exclude_unset=True) == '{"status":"failed"}'
    assert RealtimeResponse.model_json_schema()["properties"]["status"]
    assert response.model_fields_set == {"status"}


@pytest.mark.parametrize(
    ("wire", "path", "text"),
    [
        ('{"usage": "many"}', "usage", "object"),
        ('{"usage": {"total_tokens": "5"}}', "usage.total_tokens", "integer"),
        ('{"output": [{}, {"content": [{"text": 5}]}]}', "output[1].content[0].text", "string"),
        ('{"output": {}}', "output", "array"),
        ('{"status": 5}', "status", "string"),
        ('{"temperature": "0.8"}', "temperature", "number"),
        ('{"metadata": {"k": 5}}', "metadata.k", "string"),
        ('{"max_output_tokens": true}', "max_output_tokens", "fits no member"),
        ("[]", "", "object"),
        ("{", "", "Invalid JSON"),
        ("", "", "Invalid JSON"),
    ],
)
def test_errors_name_the_field(wire: str, path: str, text: str) -> None:
    with pytest.raises(InvalidModelError) as caught:
        RealtimeResponse.from_json(wire)
    ((found_path, found_text),) = caught.value.problems
    assert found_path == path
    assert text in found_text
    prefix = f"RealtimeResponse: {path}: " if path else "RealtimeResponse: "
    assert str(caught.value) == prefix + found_text


def test_errors_have_a_line_a_problem_and_an_end() -> None:
    with pytest.raises(InvalidModelError) as caught:
        RealtimeResponse(usage="sk-very-secret")  # type: ignore[arg-type]
    assert str(caught.value) == "RealtimeResponse: usage: Input should be an object"
    session: Any = {"type": "realtime", "audio": {"output": {"speed": "fast"}}}
    with pytest.raises(InvalidModelError, match=r"^\w+: session\.audio\.output\.speed: "):
        ga.RealtimeClientEventSessionUpdate(session=session)
    with pytest.raises(InvalidModelError) as caught:
        RealtimeServerEventError.from_dict({"type": "error", "error": {"type": "x"}})
    problems = "\n  event_id: Field required\n  error.message: Field required"
    assert str(caught.value) == f"RealtimeServerEventError: 2 problems{problems}"
    with pytest.raises(InvalidModelError) as caught:
        RealtimeResponse(metadata={f"key_{number}": number for number in range(50)})  # type: ignore[misc]
    first, second, *_, last = lines = str(caught.value).splitlines()
    assert (first, last, len(lines)) == ("RealtimeResponse: 50 problems", "  and 40 more", 12)
    assert second == "  metadata.key_0: Input should be a valid string"


@pytest.mark.parametrize("wire", ['{"usage": "sk-se"}', '{"status": ["sk-se"]}', '{"sk-se'])
def test_errors_do_not_repeat_the_payload(wire: str) -> None:
    with pytest.raises(InvalidModelError) as caught:
        RealtimeResponse.from_json(wire)
    assert "sk-se" not in f"{caught.value} {caught.value!r} {caught.value.args}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


class Renamed(RealtimeModel):
    """A model with fields that cannot be called in Python what they are in JSON."""

    class_: str | None = Field(default=None, alias="class")
    speech_style: float | None = Field(default=None, alias="speechStyle")
    inner: Renamed | None = Field(default=None, alias="from")


def test_fields_have_their_names_of_json_wherever_json_is_made_or_a_place_is_named() -> None:
    wire = {"class": "c", "speechStyle": 1.5, "from": {"class": None}}
    assert_round_trip(Renamed, wire)
    made = Renamed(class_="c", speech_style=1.5, inner=Renamed(class_=None))
    assert made == Renamed.from_dict(wire)
    assert made.to_dict() == wire
    assert to_dict(made) == wire
    assert to_dict({"a": [made]}) == {"a": [wire]}
    made.inner = Renamed.model_construct(speech_style=float("nan"))
    with pytest.raises(ValueError, match=r"^from\.speechStyle: NaN is not JSON$"):
        made.to_json()
    with pytest.raises(InvalidModelError, match=r"Renamed: from\.speechStyle: "):
        Renamed.from_dict({"from": {"speechStyle": "fast"}})
    assert deviations(Renamed.from_dict({"speechStyle": None, "from": {"class": None}})) == [
        Deviation("speechStyle", "wrong type", None),
        Deviation("from.class", "wrong type", None),
    ]


# Equality and repr


def test_null_is_not_absence() -> None:
    absent, null = RealtimeResponse(), RealtimeResponse(id=None)
    assert (absent.to_json(), null.to_json()) == ("{}", '{"id":null}')
    assert (repr(absent), repr(null)) == ("RealtimeResponse()", "RealtimeResponse(id=None)")
    assert absent == RealtimeResponse()
    assert absent != null
    assert RealtimeSessionCreateRequest() != {}
    assert RealtimeSessionCreateRequest() != RealtimeClientEventSessionUpdate.model_construct()
    session = RealtimeSessionCreateRequest(turn_detection=None)
    outer = RealtimeClientEventSessionUpdate(session=session)
    assert outer == RealtimeClientEventSessionUpdate.from_json(outer.to_json())
    assert outer != RealtimeClientEventSessionUpdate(session=RealtimeSessionCreateRequest())
    # Unknown fields are compared however they were set.
    assigned = RealtimeSessionCreateRequest()
    assigned.vendor = 1  # type: ignore[attr-defined]
    assert RealtimeSessionCreateRequest.from_json('{"vendor":1}') == assigned
    assert RealtimeSessionCreateRequest.from_json('{"vendor":null}') != assigned


def test_repr_shows_unknown_fields_and_of_long_text_the_start_and_the_length() -> None:
    wire = {"type": "new", "audio": "A" * 5000, "parts": [{"a": "A" * 101}], "more": {"a": ["b"]}}
    start = "A" * 100
    assert repr(parse_server_event(json.dumps(wire))) == (
        f"UnknownEvent(type='new', audio=<'{start}'… 5000 characters>, "
        f"parts=[{{'a': <'{start}'… 101 characters>}}], more={{'a': ['b']}})"
    )


def test_dumping_what_does_not_fit_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    event = ga.parse_server_event('{"type":"rate_limits.updated","rate_limits":"none"}')
    assert event.model_dump(exclude_unset=True) == event.to_dict()
    assert event.model_dump_json(exclude_unset=True) == event.to_json()
    assert not recwarn.list


def mcp(**fields: Any) -> ga.MCPTool:
    return ga.MCPTool(server_label="l", **fields)


def test_reprs_show_no_secrets() -> None:
    url = mcp(server_url="https://u:pass@example.com/mcp?key=secret")
    anywhere = [{"value": "ek_abc"}, "see wss://u:pw@host/?q=1"]
    for model, expected in (
        (mcp(authorization="token"), "authorization='***'"),
        (mcp(headers={"X-Key": "key"}), "headers={'X-Key': '***'}"),
        (url, "server_url='https://***@example.com/mcp?***'"),
        (ga.UnknownModel(items=anywhere), "items=[{'value': '***'}, 'see wss://***@host/?q=1']"),
        (mcp(authorization=None), "authorization=None"),
    ):
        held = ga.RealtimeFunctionTool(parameters={"a": model})
        for text in (repr(model), str(model), str(held)):
            assert expected in text
