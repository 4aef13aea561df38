"""The realtime endpoint of `speech-to-speech`, whose models are replaced by one that says hello.

    python integration/speech_to_speech_server.py PORT

`make servers` checks it. Without its models it needs neither weights nor torch.
"""

from __future__ import annotations

import sys
import threading
from queue import Queue
from typing import Any

from speech_to_speech.api.openai_realtime.pipeline_unit import PipelineUnit
from speech_to_speech.api.openai_realtime.server import RealtimeServer
from speech_to_speech.api.openai_realtime.service import RealtimeService
from speech_to_speech.pipeline.cancel_scope import CancelScope
from speech_to_speech.pipeline.control import is_control_message
from speech_to_speech.pipeline.events import AssistantOutputEvent, AssistantResponseDoneEvent
from speech_to_speech.pipeline.messages import AUDIO_RESPONSE_DONE, AssistantTextPart

# Each session takes a unit, which is free again some time after the session has ended.
UNITS = 20
TEXT = "Hello there."


def make_unit(index: int) -> PipelineUnit:
    """Return a pipeline whose only handlers are the threads below."""
    should_listen = threading.Event()
    should_listen.set()
    prompts: Queue[Any] = Queue()
    unit = PipelineUnit(
        index=index,
        service=RealtimeService(text_prompt_queue=prompts, should_listen=should_listen),
        cancel_scope=CancelScope(),
        should_listen=should_listen,
        response_playing=threading.Event(),
        input_queue=Queue(),
        output_queue=Queue(),
        text_output_queue=Queue(),
        text_prompt_queue=prompts,
        handlers=[],
    )
    for handle in (pass_audio, answer_prompts):
        threading.Thread(target=handle, args=(unit,), daemon=True).start()
    return unit


def pass_audio(unit: PipelineUnit) -> None:
    """Drop the user's audio, as speech recognition that hears nothing."""
    while True:
        message = unit.input_queue.get()
        if is_control_message(message):  # the end of the session, which goes through all handlers
            unit.text_prompt_queue.put(message)


def answer_prompts(unit: PipelineUnit) -> None:
    """Answer each request for a response with the same text."""
    while True:
        prompt = unit.text_prompt_queue.get()
        if is_control_message(prompt):
            unit.output_queue.put(prompt)
            continue
        key, parts = prompt.response_key, [AssistantTextPart(text=TEXT)]
        said = AssistantOutputEvent(parts=parts, text=TEXT, response_key=key)
        unit.text_output_queue.put(said)
        unit.text_output_queue.put(AssistantResponseDoneEvent(response_key=key))
        unit.output_queue.put(AUDIO_RESPONSE_DONE)


if __name__ == "__main__":
    pool = [make_unit(index) for index in range(UNITS)]
    RealtimeServer(threading.Event(), pool, host="127.0.0.1", port=int(sys.argv[1])).run()
