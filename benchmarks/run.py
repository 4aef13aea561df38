"""Compare the package with its peers: `make bench`. Writes RESULTS.md and plots beside itself."""

from __future__ import annotations

from pathlib import Path

import payloads
from measure import Process, processes

HERE = Path(__file__).parent


def main() -> None:
    """Measure, print and write everything."""
    step("starting interpreters")
    started = start_up()

    # Not before: Linux counts the memory of a process as that of those that it starts, too.
    import comparison
    import plots
    import report

    step("parsing")
    parsed = comparison.parsing()
    step("sending")
    sent = comparison.sending()
    step("parsing invalid events")
    tolerated = comparison.tolerating()
    step("growing")
    by_size, by_items = comparison.by_audio_size(), comparison.by_item_count()

    plots.draw(HERE / "parse-by-size.svg", by_size, "base64 in an audio delta", "B")
    plots.draw(HERE / "parse-by-items.svg", by_items, "items in a response", "")
    verdicts = report.verdicts(started, parsed, sent, tolerated)
    text = report.document(verdicts, parsed, sent, by_size, by_items)
    (HERE / "RESULTS.md").write_text(text, "utf-8")
    print(f"\n{text}")


def start_up() -> dict[str, Process]:
    """New interpreters: bare, with each package imported, and with a first event parsed."""
    text = payloads.dumped(payloads.server_event("session.created"))
    return processes(
        {
            "bare": "pass",
            "root": "import openai_realtime_client",
            "ga": "import openai_realtime_client.ga",
            "ours": f"from openai_realtime_client import ga\nga.parse_server_event({text!r})",
            # No client is made, only what parses: the least that a program with the SDK does.
            "SDK": "import openai\n"
            "from openai.resources.realtime.realtime import RealtimeConnection\n"
            f"RealtimeConnection(None).parse_event({text!r})",
            "ours, append": "from openai_realtime_client import ga\n"
            "ga.RealtimeClientEventInputAudioBufferAppend(audio='AAAA').to_json()",
            "SDK, append": "import openai\n"
            "from openai.resources.realtime.realtime import RealtimeConnection\n"
            "from types import SimpleNamespace\n"
            "connection = RealtimeConnection(SimpleNamespace(send=str))\n"
            "connection.input_audio_buffer.append(audio='AAAA')",
            "ours, connect": "from openai_realtime_client import ga\nga.connect('m', api_key='k')",
            # It imports this when a connection is opened.
            "SDK, connect": "import openai, websockets.asyncio.client\n"
            "openai.AsyncOpenAI(api_key='k').realtime.connect(model='m')",
        }
    )


def step(text: str) -> None:
    """Print what is being measured."""
    print(f"- {text}", flush=True)


if __name__ == "__main__":
    main()
