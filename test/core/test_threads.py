"""Models are safe to use first in several threads at once."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from openai_realtime_client import ga

# Building models is not safe in several threads with every version of pydantic, and it happens once
# in a process.
IN_THREADS = """
import json, random, sys, threading
from openai_realtime_client import ga

KINDS = [
    "error", "session.created", "session.updated", "response.created", "response.done",
    "rate_limits.updated", "conversation.item.added", "conversation.item.done",
    "input_audio_buffer.committed", "response.output_audio.delta", "response.output_text.delta",
]
MODELS = [getattr(ga, name) for name in ga.__all__ if name.startswith("Realtime")]
MODELS = [each for each in MODELS if isinstance(each, type) and issubclass(each, ga.RealtimeModel)]

def models(order):
    for model in order.sample(MODELS, 25):
        try:
            made = model.from_dict({})
        except ga.InvalidModelError:
            made = model.model_construct()
        made.to_json()

def events(order):
    for kind in order.sample(KINDS, len(KINDS)):
        wire = {"type": kind, "event_id": "e", "vendor": 1}
        if kind in ("response.created", "response.done"):
            wire["response"] = {"output": [{"type": "message"}]}
        event = ga.parse_server_event(json.dumps(wire))
        assert type(event) is not ga.UnknownEvent, kind
        assert event.to_dict() == wire, kind

def first(number):
    barrier.wait()
    try:
        (models, events)[number % 2](random.Random(f"{sys.argv[1]} {number}"))
    except BaseException as error:
        print(repr(error)[:300])

sys.setswitchinterval(1e-6)
barrier = threading.Barrier(8)
threads = [threading.Thread(target=first, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


FIRST_USE = """
import pickle, sys
from openai_realtime_client import ga, v1

def is_built(name):
    return f"openai_realtime_client.ga.models.realtime_server_event_{name}" in sys.modules

print(pickle.loads(bytes.fromhex(sys.argv[1])).to_json())
assert is_built("input_audio_buffer_cleared") and not is_built("error")
ga.parse_server_event('{"type":"error","event_id":"e","error":{"type":"a","message":"b"}}')
assert is_built("error") and not is_built("rate_limits_updated")
event = ga.parse_server_event('{"type":"rate_limits.updated","event_id":1,"rate_limits":{}}')
assert isinstance(event, ga.RealtimeServerEventRateLimitsUpdated)
assert event.to_dict() == {"type": "rate_limits.updated", "event_id": 1, "rate_limits": {}}
assert is_built("rate_limits_updated") and not is_built("response_done")
for package in (ga, v1):
    for name in package.__all__:
        value = getattr(package, name)
        if isinstance(value, type) and issubclass(value, ga.RealtimeModel):
            assert value.__pydantic_complete__, name
"""


def run(program: str, argument: str) -> str:
    command = [sys.executable, "-c", program, argument]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_a_class_is_built_when_its_first_event_comes_or_when_it_is_named() -> None:
    event = ga.RealtimeServerEventInputAudioBufferCleared(event_id="e")
    assert run(FIRST_USE, pickle.dumps(event).hex()) == event.to_json() + "\n"


@pytest.mark.parametrize("seed", ["0", "1"])
def test_first_use_in_several_threads_is_safe(seed: str) -> None:
    assert run(IN_THREADS, seed) == "done\n"
