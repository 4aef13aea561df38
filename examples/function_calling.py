"""Functions that the model calls: each is a Python function, whose signature is its schema.

    python examples/function_calling.py "What is the weather in Paris?"

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

from pydantic import Field

from openai_realtime_client import Conversation, ga


def get_weather(
    city: Annotated[str, Field(description="Name of the city, such as London.")],
) -> str:
    """Tells the weather in a city."""
    return f"Sunny in {city}, 21 degrees."  # a real program asks a weather service


TOOLS = {tool.name: tool for tool in [ga.FunctionTool(get_weather)]}
SESSION: ga.RealtimeSessionUpdateParam = {
    "type": "realtime",
    "output_modalities": ["text"],
    "tools": [tool.definition for tool in TOOLS.values()],
}


async def main(question: str) -> None:
    """Ask, run what the model calls until it calls nothing more, and print what it says."""
    conversation = Conversation()
    async with ga.connect("gpt-realtime", conversation=conversation) as connection:
        await connection.send({"type": "session.update", "session": SESSION})
        await connection.send(ga.user_text(question))
        await connection.send({"type": "response.create"})
        async for event in connection:
            if event.type == "error":
                sys.exit(event.error.message)
            if event.type != "response.done":
                continue
            response = conversation.responses[event.response.id or ""]
            if response.status != "completed":
                sys.exit(f"The response is {response.status}.")
            if not response.calls:
                print(response.text)
                return
            for call in response.calls:
                print(f"{call.name}({call.arguments})")
                if tool := TOOLS.get(call.name or ""):
                    await connection.send(tool.run(call))
                else:
                    error = f"Error: there is no function {call.name}."
                    await connection.send(ga.function_output(call.call_id or "", error))
            await connection.send({"type": "response.create"})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: function_calling.py "QUESTION"')
    asyncio.run(main(sys.argv[1]))
