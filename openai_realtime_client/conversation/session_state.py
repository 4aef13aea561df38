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
    """Base of what knows the session as the server last described it."""

    _session: Any = None
    _session_id: str | None = None

    @property
    def session(self) -> Any:
        """The latest settings, from `session.created` or `session.updated`; `None` before them."""
        return self._session

    @property
    def session_id(self) -> str | None:
        """The server's id of the session, or `None` before `session.created`."""
        return self._session_id

    def _update_session(self, session: Any) -> None:
        """Take the `session` of one of `SESSION_EVENTS`: a model, a dictionary or `None`."""
        session_id = getattr(session, "id", None)
        if is_object(session):
            session_id = session.get("id")
        if isinstance(session_id, str):
            self._session_id = session_id
        if session is not None:
            self._session = session
