"""What an error says, in the shapes in which servers send it."""

from __future__ import annotations

from typing import Any

import pytest

from openai_realtime_client import ErrorDetails, error_details, ga

REFUSED: dict[str, Any] = {
    "type": "invalid_request_error",
    "code": "response_cancel_not_active",
    "message": "No active response.",
    "param": None,
    "event_id": "mine",
}


@pytest.mark.parametrize(
    ("fields", "details", "text"),
    [
        (
            {"error": REFUSED},
            ErrorDetails(**REFUSED),
            "No active response. (response_cancel_not_active)",
        ),
        ({"error": "Overloaded."}, ErrorDetails("Overloaded."), "Overloaded."),
        ({"error": None}, ErrorDetails("no reason given"), "no reason given"),
        ({}, ErrorDetails("no reason given"), "no reason given"),
        ({"error": {}}, ErrorDetails("no reason given"), "no reason given"),
        ({"error": ["a"]}, ErrorDetails("['a']"), "['a']"),
        ({"error": {"code": 429}}, ErrorDetails("429", code="429"), "429 (429)"),
        ({"error": {"detail": "No."}}, ErrorDetails("No."), "No."),
        ({"message": "No.", "code": "c"}, ErrorDetails("No.", code="c"), "No. (c)"),
        ({"error": None, "message": "No."}, ErrorDetails("No."), "No."),
    ],
    ids=[
        *("documented", "text", "null", "nothing", "empty", "list", "number"),
        *("detail", "flat", "flat_beside_null"),
    ],
)
def test_error_event_of_any_shape(fields: Any, details: ErrorDetails, text: str) -> None:
    wire = {"type": "error", "event_id": "of_the_server", **fields}
    for event in (wire, ga.parse_server_event(wire)):
        assert error_details(event) == details
        assert str(error_details(event)) == text


NO = {"code": "c", "message": "No."}


@pytest.mark.parametrize(
    ("response", "details"),
    [
        ({"status": "failed", "status_details": {"error": NO}}, ErrorDetails("No.", code="c")),
        (
            {"status": "failed", "status_details": {"error": {"type": "t"}}},
            ErrorDetails("the response is failed", type="t"),
        ),
        ({"status": "incomplete", "status_details": {"reason": "long"}}, ErrorDetails("long")),
        ({"status": "cancelled"}, ErrorDetails("the response is cancelled")),
        ({"status": "failed", "status_details": "x"}, ErrorDetails("the response is failed")),
    ],
    ids=["error", "error_without_message", "reason", "status", "details_as_text"],
)
def test_response_that_is_not_completed(response: Any, details: ErrorDetails) -> None:
    event = ga.parse_server_event({"type": "response.done", "response": response})
    assert error_details(event) == details


def test_failed_transcription_and_long_message() -> None:
    failed = "conversation.item.input_audio_transcription.failed"
    event = ga.parse_server_event({"type": failed, "error": NO})
    assert error_details(event) == ErrorDetails("No.", code="c")
    assert len(error_details({"type": "error", "error": "x" * 10_000}).message) == 500
