"""Secrets that events may hold, told by their place or form."""

from __future__ import annotations

import re
from typing import Any

from openai_realtime_client.core.json_types import is_object

__all__ = ["HIDDEN", "without_secrets"]

HIDDEN = "***"

# A client secret, which is a key of the service for minutes.
_CLIENT_SECRET = re.compile(r"\bek_[\w-]+")
# The user and password of a URL (userinfo in RFC 3986), and its query, which may hold a key.
_USER_INFO = re.compile(r"(?<=://)[^/?#@\s]*@")
_QUERY = re.compile(r"(?<=\?).+")


def without_secrets(name: str, value: Any) -> Any:
    """Return the value of a field without the secret that it is or contains.

    Args:
        name: The name of the field: the authorization and the headers of MCP tools are secret, and
            so is the query of their URL.
        value: Its value, of any type. Objects and arrays in it are not searched.
    """
    if name == "authorization" and value is not None:
        return HIDDEN
    if name == "headers" and is_object(value):
        return dict.fromkeys(value, HIDDEN)
    if not isinstance(value, str):
        return value
    # Nearly all text has neither.
    if "ek_" in value:
        value = _CLIENT_SECRET.sub(HIDDEN, value)
    if "://" in value:
        value = _USER_INFO.sub(f"{HIDDEN}@", value)
        if name == "server_url":
            value = _QUERY.sub(HIDDEN, value)
    return value
