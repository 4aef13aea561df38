"""Tests of users with the embedded server: what it received has the types of its protocol."""

from typing_extensions import assert_type

from openai_realtime_client import ga, v1
from openai_realtime_client.testing import Answer, Call, ReplayServer


def answer(items: list[dict[str, object]]) -> Answer | None:
    return Answer("Hi.", calls=[Call("f", {"a": 1})]) if items else None


def typed_by_protocol() -> None:
    with ReplayServer(protocol="ga", answers=["Hi.", None, Call("f")]) as server:
        [session] = server.sessions
        created = session.wait_for(ga.RealtimeClientEventResponseCreate)
        assert_type(created, ga.RealtimeClientEventResponseCreate)
        event = session.wait_for("response.create")
        if event.type == "response.create":
            assert_type(event, ga.RealtimeClientEventResponseCreate)
        for sent in session.sent:
            if isinstance(sent, ga.RealtimeServerEventResponseDone):
                assert_type(sent.response, ga.RealtimeResponse)
    with ReplayServer(protocol="v1", keep_events=True) as older:
        for received in older.sessions[0].received:
            if received.type == "session.update":
                assert_type(received, v1.RealtimeClientEventSessionUpdate)


def of_either_protocol(server: ReplayServer) -> None:
    for received in server.sessions[0].received:
        if isinstance(received, ga.RealtimeClientEventSessionUpdate):
            print(received.session.type)
    print(server.sessions[0].wait_for("response.create").no_such)  # error: mypy, pyright
    ReplayServer(protocol="v2")  # error: mypy, pyright
    ReplayServer(answer="Hi.")  # error: mypy, pyright
