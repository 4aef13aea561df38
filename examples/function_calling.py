"""Functions that the model calls: the arguments of each are a pydantic model, and so have a schema.

    python examples/function_calling.py "What is the weather in Paris?"

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import sys

from pydantic import BaseModel, Field, ValidationError

from openai_realtime_client import ga


class GetWeather(BaseModel):
    """Tells the weather in a city."""

    city: str = Field(description="Name of the city, such as London.")

    def run(self) -> str:
        """The output for the model; a real program asks a weather service."""
        return f"Sunny in {self.city}, 21 degrees."


FUNCTIONS = {"get_weather": GetWeather}
SESSION = ga.RealtimeSessionCreateRequestGA(
    output_modalities=[ga.RealtimeSessionCreateRequestGA.OutputModalitiesEnum.TEXT],
    tools=[
        ga.RealtimeFunctionTool(
            name=name, description=function.__doc__, parameters=function.model_json_schema()
        )
        for name, function in FUNCTIONS.items()
    ],
)


def run(name: str, arguments: str) -> str:
    """The output of a call. Errors go to the model, too: it may correct the call, or say so."""
    function = FUNCTIONS.get(name)
    if function is None:
        return f"Error: there is no function {name}."
    try:
        return function.model_validate_json(arguments).run()
    except ValidationError as error:
        return f"Error: {error}"


async def main(question: str) -> None:
    """Ask, run what the model calls until it calls nothing more, and print what it says."""
    part = ga.RealtimeConversationItemMessageUserContent
    content = [part(type=part.TypeEnum.INPUT_TEXT, text=question)]
    asked = ga.RealtimeConversationItemMessageUser(content=content)
    async with ga.connect("gpt-realtime") as connection:
        await connection.send(ga.RealtimeClientEventSessionUpdate(session=SESSION))
        await connection.send(ga.RealtimeClientEventConversationItemCreate(item=asked))
        await connection.send(ga.RealtimeClientEventResponseCreate())
        while True:
            match await connection.recv():
                case ga.RealtimeServerEventResponseDone(response=response):
                    if response.status != ga.RealtimeResponse.StatusEnum.COMPLETED:
                        sys.exit(f"The response is {response.status}.")
                    has_called = False
                    for item in response.output or []:
                        match item:
                            case ga.RealtimeConversationItemFunctionCall():
                                output = run(item.name, item.arguments)
                                print(f"{item.name}({item.arguments}): {output}")
                                result = ga.RealtimeConversationItemFunctionCallOutput(
                                    call_id=item.call_id or "", output=output
                                )
                                await connection.send(
                                    ga.RealtimeClientEventConversationItemCreate(item=result)
                                )
                                has_called = True
                            case ga.RealtimeConversationItemMessageAssistant():
                                print("".join(each.text or "" for each in item.content))
                            case _:
                                pass
                    if not has_called:
                        return
                    await connection.send(ga.RealtimeClientEventResponseCreate())
                case ga.RealtimeServerEventError(error=error):
                    sys.exit(error.message)
                case _:
                    pass


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: function_calling.py "QUESTION"')
    asyncio.run(main(sys.argv[1]))
