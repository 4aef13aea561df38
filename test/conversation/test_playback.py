"""`Playback`: how much of the received audio a device has taken."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openai_realtime_client import Conversation, Playback
from openai_realtime_client.conversation.playback import Dropped


def test_playback_counts_what_the_device_took() -> None:
    playback = Playback()
    assert (playback.item_id, playback.milliseconds, bool(playback)) == (None, 0, False)
    playback.add("a", bytes(960))
    playback.add("a", bytes(960))
    playback.add("b", b"\1" * 960)
    assert (playback.take(1440), playback.item_id, playback.milliseconds) == (bytes(1440), "a", 30)
    assert playback.take(960) == bytes(480) + b"\1" * 480
    assert (playback.item_id, playback.milliseconds) == ("b", 10)
    playback.clear()
    assert (playback.take(100), playback.item_id, playback.milliseconds) == (b"", "b", 10)


def test_an_answer_of_which_nothing_was_played_is_cut_at_its_start() -> None:
    playback = Playback(8_000)
    playback.add("a", bytes(80))
    playback.clear()
    assert (playback.item_id, playback.milliseconds) == ("a", 0)
    playback.add("b", bytes(80))
    playback.take(80)
    playback.add("c", bytes(80))
    playback.clear()
    assert (playback.item_id, playback.milliseconds) == ("c", 0)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=9))),
    st.lists(st.integers(0, 20), max_size=20),
)
@settings(deadline=None)
def test_playback_gives_all_audio_in_order(
    chunks: list[tuple[str, bytes]], sizes: list[int]
) -> None:
    playback = Playback(8_000)
    for chunk in chunks:
        playback.add(*chunk)
    given_audio = b"".join(chunk for _, chunk in chunks)
    taken = b"".join(playback.take(size) for size in [*sizes, len(given_audio)])
    assert taken == given_audio
    assert not playback


def delta(item_id: str, size: int) -> dict[str, Any]:
    kind = "response.output_audio.delta"
    audio = b64encode(bytes(size)).decode()
    return {"type": kind, "response_id": "r", "item_id": item_id, "delta": audio}


def test_an_interruption_is_of_all_that_waits() -> None:
    playback, conversation = Playback(), Conversation()
    for item_id in ("a", "b", "b"):
        conversation.add(delta(item_id, 9_600))
        playback.add(item_id, bytes(9_600))
    playback.take(4_800)
    dropped = playback.clear()
    assert dropped == [Dropped("a", 4_800, 100), Dropped("b", 0, 0)]
    events = conversation.interrupted(dropped)
    assert [(event["item_id"], event["audio_end_ms"]) for event in events] == [("a", 100), ("b", 0)]
    # What comes late is refused, and what was told is not told again.
    playback.add("b", bytes(960))
    playback.add("a", bytes(960))
    assert (playback.take(960), playback.clear()) == (b"", [])
    playback.add("c", bytes(960))
    assert playback.take(960) == bytes(960)


def test_items_of_an_interrupted_response_are_refused_before_their_first_audio() -> None:
    conversation = Conversation()
    playback = Playback(conversation=conversation)
    conversation.add(delta("a", 960))
    playback.add("a", bytes(960))
    playback.clear()
    conversation.add(delta("b", 960))
    playback.add("b", bytes(960))
    assert not playback


def test_ids_may_be_used_again_in_the_next_session() -> None:
    conversation = Conversation()
    playback = Playback(conversation=conversation)
    for session_id in ("s", "t"):
        conversation.add({"type": "session.created", "session": {"id": session_id}})
        conversation.add(delta("a", 960))
        assert playback.add("a", bytes(960))
        assert [event["item_id"] for event in conversation.interrupted(playback.clear())] == ["a"]
        assert not playback.add("a", bytes(960))


def test_marks_of_cleared_items_take_nothing() -> None:
    playback = Playback(8_000)
    playback.add("a", bytes(80))
    playback.clear()
    playback.add("b", bytes(80))
    assert (playback.take(80, "a"), playback.milliseconds) == (b"", 0)
    assert (playback.take(80, "b"), playback.milliseconds) == (bytes(80), 10)


def test_the_format_is_that_of_the_conversation() -> None:
    conversation = Conversation()
    playback = Playback(conversation=conversation)
    settings = {"audio": {"output": {"format": {"type": "audio/pcma"}}}}
    conversation.add({"type": "session.update", "session": settings})
    conversation.add(delta("a", 16_000))
    playback.add("a", bytes(16_000))
    playback.take(15_999)
    assert (playback.format, playback.milliseconds) == ("audio/pcma", 1999)
    assert (Playback().format, Playback(8_000).format) == ("audio/pcm", "audio/pcmu")
    # Events are right without it, too.
    other = Playback()
    other.add("a", bytes(16_000))
    other.take(8_000)
    [event] = conversation.interrupted(other.clear())
    assert event["audio_end_ms"] == 1000


def test_half_a_sample_does_not_shift_the_next_item() -> None:
    playback = Playback()
    playback.add("a", b"\1\0\2")
    assert (playback.take(4), bool(playback)) == (b"\1\0", False)
    playback.add("b", b"\3\0\4\0")
    assert playback.take(100) == b"\2\0\3\0\4\0"
    # The rest of a sample may still come.
    playback.add("c", b"\5")
    assert playback.take(100) == b""
    playback.add("c", b"\0")
    assert playback.take(100) == b"\5\0"
