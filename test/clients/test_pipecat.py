"""Pipecat's service for the Realtime API, as it is and with its defaults, in a pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner
from speech import KEY, QUIET, SPEECH, STORY, checked, statuses

from openai_realtime_client.testing import ReplayServer

WEATHER = FunctionSchema(
    name="get_weather",
    description="The weather in a city.",
    properties={"city": {"type": "string"}},
    required=["city"],
)


async def get_weather(params: FunctionCallParams) -> None:
    await params.result_callback(f"Sunny in {params.arguments['city']}.")


class Listener(FrameProcessor):
    """What is heard behind the service."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        await self.push_frame(frame, direction)

    @property
    def text(self) -> str:
        return " ".join(f.text.strip() for f in self.frames if isinstance(f, TTSTextFrame))

    @property
    def audio(self) -> bytes:
        return b"".join(f.audio for f in self.frames if isinstance(f, TTSAudioRawFrame))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def opened(server: ReplayServer, text: str) -> AsyncIterator[tuple[PipelineWorker, Listener]]:
    url = server.url.replace("http", "ws", 1) + "/realtime"
    service = OpenAIRealtimeLLMService(api_key=KEY, base_url=url)
    service.register_function("get_weather", get_weather)
    messages = [{"role": "user", "content": text}]
    context = LLMContext(messages, tools=ToolsSchema(standard_tools=[WEATHER]))
    pair = LLMContextAggregatorPair(context)
    listener = Listener()
    worker = PipelineWorker(Pipeline([pair.user(), service, listener, pair.assistant()]))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await worker.queue_frame(LLMRunFrame())
    try:
        yield worker, listener
    finally:
        await worker.queue_frame(EndFrame())
        await running


async def speak(worker: PipelineWorker, data: bytes) -> None:
    """Say it in real time, so that the pipeline knows that the user speaks before it answers."""
    for start in range(0, len(data), 960):
        frame = InputAudioRawFrame(data[start : start + 960], sample_rate=24000, num_channels=1)
        await worker.queue_frame(frame)
        await asyncio.sleep(0.02)


def test_text_audio_a_tool_and_an_interruption() -> None:
    async def talk() -> None:
        async with opened(server, "Hello.") as (worker, listener):
            await listener.until(lambda: listener.text.endswith("You said: Hello."))
            # The last of it may come after the text.
            await listener.until(lambda: len(listener.audio) == 9600)
            await speak(worker, SPEECH + QUIET)
            await listener.until(lambda: listener.text.endswith("You said: Good morning."))
            await speak(worker, SPEECH + QUIET)
            await listener.until(lambda: listener.text.endswith('Sunny in Paris."'))
            heard = len(listener.audio)
            await speak(worker, SPEECH + QUIET)
            await listener.until(lambda: len(listener.audio) > heard + 9600)
            await speak(worker, SPEECH)
            await asyncio.to_thread(server.sessions[0].wait_for, "conversation.item.truncate", 30)

    transcripts = ["Good morning.", "What is the weather in Paris?", "Tell me a story."]
    with checked(answers=STORY, transcripts=transcripts) as server:
        asyncio.run(talk())
    session = server.sessions[0]
    outputs = [e for e in session.received if e.type == "conversation.item.create"][1:]
    assert [e.to_dict()["item"]["type"] for e in outputs] == ["function_call_output"]
    assert statuses(server)[4] == "cancelled"
