"""`Playback`: how much of the received audio a device has taken."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from openai_realtime_client import Playback


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
    playback = Playback(1000)
    for chunk in chunks:
        playback.add(*chunk)
    given_audio = b"".join(chunk for _, chunk in chunks)
    taken = b"".join(playback.take(size) for size in [*sizes, len(given_audio)])
    assert taken == given_audio
    assert not playback
