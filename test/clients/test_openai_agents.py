"""The OpenAI Agents SDK, as it is and with its defaults."""

from __future__ import annotations

import asyncio

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession, RealtimeSessionEvent
from speech import KEY, QUIET, SAID, SPEECH, STORY, checked, statuses

from openai_realtime_client.testing import ReplayServer


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}."


async def run(server: ReplayServer) -> RealtimeSession:
    agent = RealtimeAgent(name="assistant", instructions="Be brief.", tools=[get_weather])
    url = server.url.replace("http", "ws", 1) + "/realtime?model=gpt-realtime-2.1"
    return await RealtimeRunner(agent).run(model_config={"url": url, "api_key": KEY})


async def until(session: RealtimeSession, kind: str) -> list[RealtimeSessionEvent]:
    """The events up to the first of a type."""
    events = []
    async with asyncio.timeout(10):
        async for event in session:
            events.append(event)
            if event.type == kind:
                break
    return events


def transcripts(session: RealtimeSession) -> list[str | None]:
    return [
        part.text if part.type.endswith("text") else part.transcript
        for item in session._history
        if item.type == "message"
        for part in item.content
    ]


def test_text_audio_a_tool_and_an_interruption() -> None:
    async def talk() -> None:
        async with await run(server) as session:
            await session.send_message("Hello.")
            events = await until(session, "agent_end")
            assert sum(len(e.audio.data) for e in events if e.type == "audio") == 9600
            await session.send_message("What is the weather in Paris?")
            events = await until(session, "agent_end") + await until(session, "agent_end")
            [done] = [event for event in events if event.type == "tool_end"]
            assert done.output == "Sunny in Paris."
            await session.send_audio(SPEECH + QUIET)
            await until(session, "agent_end")
            assert transcripts(session) == SAID
            await session.send_message("Tell me a story.")
            await until(session, "audio")
            await session.send_audio(SPEECH)
            await until(session, "audio_interrupted")
            await asyncio.to_thread(server.sessions[0].wait_for, "conversation.item.truncate", 30)

    with checked(answers=STORY, transcripts=["Good morning."]) as server:
        asyncio.run(talk())
    assert statuses(server)[4] == "cancelled"
