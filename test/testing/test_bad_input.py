"""Events that the embedded server refuses."""

from __future__ import annotations

import pytest

from openai_realtime_client.testing import ReplayServer
from plain_client import (
    BETA,
    RESPOND,
    client,
    item,
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
        ("{}", "invalid_event", "type"),
        ('{"type":1}', "invalid_event", "type"),
        ('{"type":"no.such","event_id":"e"}', "invalid_value", "type"),
        ('{"type":"response.cancel","x":1,"event_id":"e"}', "unknown_parameter", "x"),
        (
            '{"type":"conversation.item.create","event_id":"e"}',
            "missing_required_parameter",
            "item",
        ),
        (
            '{"type":"conversation.item.delete","item_id":1,"event_id":"e"}',
            "invalid_type",
            "item_id",
        ),
        (
            '{"type":"session.update","session":{"type":"realtime","tools":{}},"event_id":"e"}',
            "invalid_type",
            "session.tools",
        ),
        (
            '{"type":"session.update","session":{"type":"realtime","instructions":null}}',
            "invalid_type",
            "session.instructions",
        ),
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
        error = c.error({"type": "output_audio_buffer.clear"})
        assert (error["code"], error["param"]) == ("invalid_value", "type")


def test_messages_may_come_in_fragments(server: ReplayServer) -> None:
    with client(server) as c:
        c.connection.send(['{"type":', '"response', '.create"}'])
        assert c.until("rate_limits.updated")[0]["type"] == "response.created"
