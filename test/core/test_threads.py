"""Models are safe to use first in several threads at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# Building models is not safe in several threads with every version of pydantic, and it happens once
# in a process.
PROGRAM = """
import random, sys, threading
from openai_realtime_client import ga

def use_first():
    barrier.wait()
    try:
        for name in names[:25]:
            model = getattr(ga, name)
            if isinstance(model, type) and issubclass(model, ga.RealtimeModel):
                try:
                    made = model.from_dict({})
                except ga.InvalidModelError:
                    made = model.model_construct()
                made.to_json()
        text = '{"type":"response.done","event_id":"e","response":{"output":[{"type":"message"}]}}'
        ga.parse_server_event(text).to_json()
    except BaseException as error:
        print(repr(error)[:300])

names = [name for name in ga.__all__ if name.startswith("Realtime")]
random.Random(int(sys.argv[1])).shuffle(names)
sys.setswitchinterval(1e-6)
barrier = threading.Barrier(8)
threads = [threading.Thread(target=use_first) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


UNBUILT = """
from openai_realtime_client import ga, v1

for package in (ga, v1):
    for name in package.__all__:
        value = getattr(package, name)
        if isinstance(value, type) and issubclass(value, ga.RealtimeModel):
            assert value.__pydantic_complete__, name
print("done")
"""


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_models_are_built_before_any_thread_has_them() -> None:
    assert run(UNBUILT) == "done\n"


def test_models_can_be_used_first_in_several_threads() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert {*pool.map(lambda seed: run(PROGRAM, str(seed)), range(6))} == {"done\n"}
