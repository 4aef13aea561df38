"""Two responses at once: an answer, and out of band a label that stays out of the conversation.

    python examples/out_of_band.py "My bill is wrong."

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import sys

from openai_realtime_client import Conversation, error_details, ga

ANSWER: ga.RealtimeResponseCreateParamsParam = {"output_modalities": ["text"]}
LABEL: ga.RealtimeResponseCreateParamsParam = {
    "conversation": "none",
    "metadata": {"purpose": "label"},
    "instructions": "Label the message: billing, technical or other.",
    "output_modalities": ["text"],
}


def main(message: str) -> None:
    """Say it once, and print both responses and the items of the conversation."""
    said, conversation = ga.user_text(message), Conversation()
    label: ga.RealtimeResponseCreateParamsParam = {**LABEL, "input": [said["item"]]}
    with ga.connect_sync("gpt-realtime-2.1", conversation=conversation) as connection:
        connection.send(said)
        connection.send({"type": "response.create", "response": ANSWER})
        connection.send({"type": "response.create", "response": label})
        ended = 0
        while ended < 2:
            event = connection.recv()
            if event.type == "error":
                sys.exit(str(error_details(event)))
            if event.type == "response.done":
                if event.response.status != "completed":
                    sys.exit(str(error_details(event)))
                ended += 1
    for response in conversation.responses.values():
        name = "Label" if response.is_out_of_band else "Answer"
        print(f"{name}: {response.text}")
    print(f"The conversation has {len(conversation.items)} items.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: out_of_band.py "MESSAGE"')
    main(sys.argv[1])
