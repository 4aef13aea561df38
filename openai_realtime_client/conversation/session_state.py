"""The latest settings of a session."""

from __future__ import annotations

from typing import Any

from openai_realtime_client.core.json_types import is_object

__all__ = ["SESSION_EVENTS", "SessionState"]

SESSION_EVENTS = {
    f"{session}.{change}"
    for session in ("session", "transcription_session")
    for change in ("created", "updated")
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
        found = session.get("id") if is_object(session) else getattr(session, "id", None)
        self._session_id = found if isinstance(found, str) else self._session_id
        self._session = self._session if session is None else session
