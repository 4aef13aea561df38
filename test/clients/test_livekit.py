"""LiveKit's agents with its plugin for OpenAI, as they are and with their defaults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities
from livekit.plugins.openai.realtime import RealtimeModel
from speech import KEY, QUIET, SAID, SPEECH, STORY, checked, statuses

from openai_realtime_client.testing import ReplayServer

FRAME = 480 * 2  # 20 ms of PCM16 at 24 kHz


@function_tool
async def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}."


class Microphone(AudioInput):
    """What is said, in frames of 20 ms."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()

    def say(self, data: bytes) -> None:
        for start in range(0, len(data), FRAME):
            self._frames.put_nowait(data[start : start + FRAME])

    async def __anext__(self) -> rtc.AudioFrame:
        data = await self._frames.get()
        return rtc.AudioFrame(data, 24000, 1, len(data) // 2)


class Speaker(AudioOutput):
    """Plays at once."""

    def __init__(self) -> None:
        capabilities = AudioOutputCapabilities(pause=False)
        super().__init__(label="speaker", capabilities=capabilities, sample_rate=24000)
        self.seconds = 0.0
        self._begun = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.seconds += frame.duration
        self._begun += frame.duration

    def flush(self) -> None:
        super().flush()
        self._finish(interrupted=False)

    def clear_buffer(self) -> None:
        self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool) -> None:
        if self._begun:
            self.on_playback_finished(playback_position=self._begun, interrupted=interrupted)
            self._begun = 0.0


@asynccontextmanager
async def opened(
    server: ReplayServer,
) -> AsyncIterator[tuple[AgentSession[None], Microphone, Speaker]]:
    session = AgentSession[None](llm=RealtimeModel(base_url=server.url, api_key=KEY))
    session.input.audio, session.output.audio = Microphone(), Speaker()
    agent = Agent(instructions="Be brief.", tools=[get_weather])
    await session.start(agent)
    yield session, session.input.audio, session.output.audio
    await session.aclose()


def said(session: AgentSession[None]) -> list[str | None]:
    return [item.text_content for item in session.history.items if item.type == "message"]


def test_text_audio_a_tool_and_an_interruption() -> None:
    async def talk() -> None:
        async with opened(server) as (session, microphone, speaker):
            await session.generate_reply(user_input="Hello.")
            assert round(speaker.seconds, 3) == 0.2
            await session.generate_reply(user_input="What is the weather in Paris?")
            microphone.say(SPEECH + QUIET)
            async with asyncio.timeout(10):
                while len(said(session)) < 6:
                    await asyncio.sleep(0.05)
            assert said(session) == SAID
            heard = speaker.seconds
            speech = session.generate_reply(user_input="Tell me a story.")
            async with asyncio.timeout(10):
                while speaker.seconds == heard:
                    await asyncio.sleep(0.01)
                microphone.say(SPEECH)
                await speech
                # Otherwise the client may be gone before the server has ended the response.
                while len(statuses(server)) < 5:
                    await asyncio.sleep(0.01)
            assert speech.interrupted

    # It cancels, although speech has ended the response already.
    allowed = "response_cancel_not_active"
    with checked(answers=STORY, allowed=allowed, transcripts=["Good morning."]) as server:
        asyncio.run(talk())
    assert statuses(server)[4] == "cancelled"
