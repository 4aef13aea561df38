"""A function that the model calls: its signature is the schema of its arguments.

    python examples/function_calling.py "What is the weather in Paris?"

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

from pydantic import Field

from openai_realtime_client import Conversation, error_details, ga


def get_weather(
    city: Annotated[str, Field(description="Name of the city, such as London.")],
) -> str:
    """Tells the weather in a city."""
    return f"Sunny in {city}, 21 degrees."  # a real program asks a weather service


async def main(question: str) -> None:
    """Ask, show what the model calls, and print what it says when it calls nothing more."""
    conversation, tools = Conversation(), ga.Tools(get_weather)
    session: ga.RealtimeSessionUpdateParam = {
        "type": "realtime",
        "output_modalities": ["text"],
        "tools": tools.params,
    }
    async with ga.connect("gpt-realtime-2.1", conversation=conversation, tools=tools) as connection:
        await connection.send({"type": "session.update", "session": session})
        await connection.send(ga.user_text(question))
        await connection.send({"type": "response.create"})
        async for event in connection:
            if event.type == "error":
                sys.exit(str(error_details(event)))
            if event.type == "response.done":
                response = conversation.responses[event.response.id or ""]
                if response.status != "completed":
                    sys.exit(str(error_details(event)))
                for call in response.calls:
                    print(f"{call.name}({call.arguments})")
                if not response.calls:
                    print(response.text)
                    return
    sys.exit("The session ended without an answer.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: function_calling.py "QUESTION"')
    asyncio.run(main(sys.argv[1]))
