"""The latest settings of a session."""

from __future__ import annotations

from typing import Any

from openai_realtime_client.core.json_types import is_object

__all__ = ["SESSION_EVENTS", "SessionState"]

SESSION_EVENTS = {
    "session.created",
    "session.updated",
    "transcription_session.created",
    "transcription_session.updated",
}


class SessionState:
    """The latest settings of a session and its id, as the server reported them."""

    def __init__(self) -> None:
        self.settings: Any = None
        self.id: str | None = None

    def add(self, event: Any) -> None:
        """Take the `session` of an event such as `session.updated`, typed or not."""
        session = event.get("session") if is_object(event) else getattr(event, "session", None)
        # A dictionary in an event that the schema does not know, such as those of other servers.
        found = session.get("id") if is_object(session) else getattr(session, "id", None)
        self.id = found if isinstance(found, str) else self.id
        self.settings = self.settings if session is None else session
