"""What an embedded server does wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Faults"]


@dataclass(frozen=True)
class Faults:
    """Faults of a session. Each happens once, after so many of the server's events; 0 is at once.

    - `cut_after`: the TCP connection ends without a close frame
    - `close_after`: the server closes with `close_code` and `close_reason`
    - `garbage_after`: a text message that is not JSON; the session goes on
    - `broken_frame_after`: bytes that are no WebSocket frame; then the connection ends
    - `huge_after`: a `rate_limits.updated` event of `huge_size` bytes; the session goes on
    - `delay`: seconds to wait before each event of the server
    - `refuse`: status of the HTTP response to the handshake, with `refuse_body`, JSON or not; there
      is no session then
    """

    cut_after: int | None = None
    close_after: int | None = None
    close_code: int = 1011
    close_reason: str = ""
    garbage_after: int | None = None
    broken_frame_after: int | None = None
    huge_after: int | None = None
    huge_size: int = 20 * 2**20
    delay: float = 0.0
    refuse: int | None = None
    refuse_body: str = ""


def huge_event(event_id: str, size: int) -> str:
    """A `rate_limits.updated` event whose JSON text has `size` bytes, or as few as can be."""
    head = f'{{"type":"rate_limits.updated","event_id":"{event_id}","rate_limits":['
    limit = '{"name":"tokens","limit":1,"remaining":1,"reset_seconds":0.0}'
    count = (size - len(head) - 2) // (len(limit) + 1)
    return (head + ",".join([limit] * count)).ljust(size - 2) + "]}"
