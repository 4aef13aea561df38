"""Events that the embedded server refuses."""

from __future__ import annotations

from typing import Any

import pytest

from openai_realtime_client import ga, v1
from openai_realtime_client.testing import ReplayServer
from plain_client import (
    BETA,
    CANCEL,
    RESPOND,
    WEATHER,
    Event,
    client,
    item,
    only,
    respond,
    text,
    update,
)

# Bad input


@pytest.mark.parametrize("headers", [{}, BETA])
@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        (b"\xff\x00", "invalid_json", None),
        (b'{"type":"response.create"}', "invalid_json", None),
        ("{}", "invalid_event", "type"),
        ('{"type":1}', "invalid_event", "type"),
        ('{"type":"no.such","event_id":"e"}', "invalid_value", "type"),
        ('{"type":"response.cancel","event_id":5}', "invalid_type", "event_id"),
        ('{"type":"response.cancel","x":1,"event_id":"e"}', "unknown_parameter", "x"),
        ('{"type":"conversation.item.create"}', "missing_required_parameter", "item"),
        ('{"type":"conversation.item.create","item":null}', "invalid_type", "item"),
        ('{"type":"conversation.item.delete","item_id":1}', "invalid_type", "item_id"),
        ('{"type":"input_audio_buffer.append","audio":null}', "invalid_type", "audio"),
        (
            '{"type":"session.update","session":{"type":"realtime","tools":{}},"event_id":"e"}',
            "invalid_type",
            "session.tools",
        ),
        ('{"type":"session.update","session":null}', "invalid_type", "session"),
    ],
)
def test_bad_input_is_an_error_and_the_session_goes_on(
    server: ReplayServer,
    headers: dict[str, str],
    message: str | bytes,
    code: str,
    param: str | None,
) -> None:
    if headers and isinstance(message, str):
        message = message.replace('"type":"realtime",', "")
    with client(server, additional_headers=headers) as c:
        c.connection.send(message)
        error = c.recv()["error"]
        assert (error["code"], error["param"]) == (code, param)
        assert error["event_id"] == ("e" if b'"e"' in str(message).encode() else None)
        assert error["message"]
        c.turn(RESPOND)


def test_ga_says_which_union_member_is_wrong(server: ReplayServer) -> None:
    with client(server) as c:
        error = c.error({"type": "session.update", "session": {"instructions": "Hi."}})
        assert error["code"] == "missing_required_parameter"
        assert error["param"] == "session.type"
        error = c.error(item(type="no_such"))
        assert (error["code"], error["param"]) == ("invalid_value", "item.type")
        error = c.error(update(output_modalities=["smell"]))
        assert (error["code"], error["param"]) == ("invalid_value", "session.output_modalities[0]")
        error = c.error({**CANCEL, "event_id": "e" * 513})
        assert (error["code"], error["param"]) == ("string_above_max_length", "event_id")
        error = c.error({"type": "output_audio_buffer.clear"})
        assert (error["code"], error["param"]) == ("invalid_value", "type")


def test_messages_may_come_in_fragments(server: ReplayServer) -> None:
    with client(server) as c:
        c.connection.send(['{"type":', '"response', '.create"}'])
        assert c.until("rate_limits.updated")[0]["type"] == "response.created"


@pytest.mark.parametrize("headers", [{}, BETA])
def test_null_stands_for_absence(server: ReplayServer, headers: dict[str, str]) -> None:
    params = (v1 if headers else ga).RealtimeResponseCreateParams
    with client(server, additional_headers=headers) as c:
        kind = {} if headers else {"type": "realtime"}
        changed = {"instructions": "Be brief.", "tools": [WEATHER]}
        c.answer({"type": "session.update", "session": {**kind, **changed}})
        nothing = dict.fromkeys(changed)
        updated = c.answer(
            {"type": "session.update", "session": {**kind, **nothing}, "event_id": None}
        )
        c.send({**text("Hi."), "previous_item_id": None, "event_id": None})
        c.send({"type": "response.create", "response": None, "event_id": None})
        first = c.until("rate_limits.updated")
        c.send(respond(**dict.fromkeys(params.__nullable__)))
        second = c.until("rate_limits.updated")
        error = c.error({**CANCEL, "response_id": None})
    assert updated["session"]["instructions"] == "You are a helpful assistant."
    assert updated["session"]["tools"] == []
    kind = "response.audio_transcript.done" if headers else "response.output_audio_transcript.done"
    assert only(first, kind)["transcript"] == only(second, kind)["transcript"] == "You said: Hi."
    assert error["code"] == "response_cancel_not_active"


def test_null_restores_settings_of_audio(server: ReplayServer) -> None:
    changed = {"input": {"turn_detection": None}, "output": {"voice": "ash", "speed": 1.5}}
    with client(server) as c:
        before = c.answer(update())["session"]["audio"]
        assert c.answer(update(audio=changed))["session"]["audio"] != before
        nothing = {"input": {"format": None}, "output": {"voice": None, "speed": None}}
        after = c.answer(update(audio=nothing))["session"]["audio"]
        assert c.answer(update(audio={"input": None, "output": None}))["session"]["audio"] == after
    assert after["output"] == before["output"]
    # Here, null has a meaning of its own.
    assert after["input"] == {**before["input"], "turn_detection": None}


def listening(**settings: Any) -> Event:
    return {"audio": {"input": settings}}


def detecting(**settings: Any) -> Event:
    return {"turn_detection": {"type": "server_vad", **settings}}


BELOW, ABOVE = "integer_below_min_value", "integer_above_max_value"
FEW, LARGE, SMALL = "array_below_min_length", "decimal_above_max_value", "decimal_below_min_value"
CALLERS = {"type": "mcp", "server_label": "a", "allowed_callers": []}


EXCLUDED: list[tuple[str, Event, str, str]] = [
    ("ga", {"output_modalities": ["text", "audio"]}, "invalid_value", "output_modalities"),
    ("ga", {"output_modalities": []}, "invalid_value", "output_modalities"),
    ("ga", {"max_output_tokens": 0}, BELOW, "max_output_tokens"),
    ("ga", {"max_output_tokens": 4097}, ABOVE, "max_output_tokens"),
    ("ga", {"audio": {"output": {"speed": 1.6}}}, LARGE, "audio.output.speed"),
    (
        *("ga", listening(**detecting(threshold=1.1)), LARGE),
        "audio.input.turn_detection.threshold",
    ),
    (
        *("ga", listening(**detecting(idle_timeout_ms=4999)), BELOW),
        "audio.input.turn_detection.idle_timeout_ms",
    ),
    (
        *("ga", listening(transcription={"languages": []}), FEW),
        "audio.input.transcription.languages",
    ),
    ("ga", {"tools": [CALLERS]}, FEW, "tools[0].allowed_callers"),
    ("v1", {"modalities": ["audio"]}, "invalid_value", "modalities"),
    ("v1", {"temperature": 1.3}, LARGE, "temperature"),
    ("v1", {"temperature": 0}, BELOW, "temperature"),
    ("v1", {"max_response_output_tokens": 4097}, ABOVE, "max_response_output_tokens"),
    ("v1", detecting(threshold=-0.1), SMALL, "turn_detection.threshold"),
]


@pytest.mark.parametrize(
    ("protocol", "settings", "code", "param"),
    EXCLUDED,
    ids=[f"{protocol}_{param}_{code}" for protocol, _, code, param in EXCLUDED],
)
def test_what_the_pages_exclude_is_refused(
    server: ReplayServer, protocol: str, settings: Event, code: str, param: str
) -> None:
    headers = BETA if protocol == "v1" else {}
    kind = {} if headers else {"type": "realtime"}
    # A tool's own names are not those of the API.
    tool = {**WEATHER, "parameters": {"speed": 9, "output_modalities": []}}
    good: Event = {"tools": [tool]}
    if headers:
        good["modalities"] = ["audio", "text"]
    with client(server, additional_headers=headers) as c:
        error = c.error({"type": "session.update", "session": {**kind, **settings}})
        assert (error["code"], error["param"]) == (code, f"session.{param}")
        updated = c.answer({"type": "session.update", "session": {**kind, **good}})
    if headers:
        assert updated["session"]["modalities"] == ["text", "audio"]
    assert updated["type"] == "session.updated"
