"""What an error says, in the shapes in which servers send it."""

from __future__ import annotations

from typing import Any

from openai_realtime_client import ErrorDetails, error_details, ga

REFUSED: dict[str, Any] = {
    "type": "invalid_request_error",
    "code": "response_cancel_not_active",
    "message": "No active response.",
    "param": None,
    "event_id": "mine",
}


NO = {"code": "c", "message": "No."}
SHAPES: list[tuple[Any, ErrorDetails]] = [
    ({"error": REFUSED}, ErrorDetails(**REFUSED)),
    ({"error": "Overloaded."}, ErrorDetails("Overloaded.")),
    ({"error": None}, ErrorDetails("no reason given")),
    ({}, ErrorDetails("no reason given")),
    ({"error": ["a"]}, ErrorDetails("['a']")),
    ({"error": {"code": 429}}, ErrorDetails("429", code="429")),
    ({"error": {"detail": "No."}}, ErrorDetails("No.")),
    (NO, ErrorDetails("No.", code="c")),
    ({"error": None, "message": "No."}, ErrorDetails("No.")),
    ({"error": "No.", "code": "c"}, ErrorDetails("No.", code="c")),
    ({"detail": "No."}, ErrorDetails("No.")),
    ({"error": "No.", "response": {}}, ErrorDetails("No.")),
]


def test_error_event_of_any_shape() -> None:
    for fields, details in SHAPES:
        wire = {"type": "error", "event_id": "of_the_server", **fields}
        for event in (wire, ga.parse_server_event(wire)):
            assert error_details(event) == details
    assert str(error_details({"type": "error", **NO})) == "No. (c)"
    assert str(error_details({"type": "error", "error": "No."})) == "No."


RESPONSES: list[tuple[str, Any, ErrorDetails]] = [
    ("failed", {"error": NO}, ErrorDetails("No.", code="c")),
    ("failed", {"error": {"type": "t"}}, ErrorDetails("the response is failed", type="t")),
    ("incomplete", {"reason": "long"}, ErrorDetails("long")),
    ("cancelled", None, ErrorDetails("the response is cancelled")),
    ("failed", "x", ErrorDetails("the response is failed")),
]


def test_response_that_is_not_completed() -> None:
    for status, given, details in RESPONSES:
        response = {"status": status, "status_details": given}
        event = ga.parse_server_event({"type": "response.done", "response": response})
        assert error_details(event) == details


def test_failed_transcription_and_long_message() -> None:
    failed = "conversation.item.input_audio_transcription.failed"
    event = ga.parse_server_event({"type": failed, "error": NO})
    assert error_details(event) == ErrorDetails("No.", code="c")
    assert len(error_details({"type": "error", "error": "x" * 10_000}).message) == 500
