"""Tools of an MCP server, each call of which the user approves.

    python examples/mcp_approval.py https://example.com/mcp "What is new?"

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server, which stands for the MCP server, too.
"""

from __future__ import annotations

import sys
from uuid import uuid4

from openai_realtime_client import Conversation, error_details, ga


def main(server_url: str, question: str) -> None:
    """Ask, let the user approve each call, and print what the model says in the end."""
    tool: ga.MCPToolParam = {
        "type": "mcp",
        "server_label": "tools",
        "server_url": server_url,
        "require_approval": "always",
    }
    session: ga.RealtimeSessionUpdateParam = {
        "type": "realtime",
        "output_modalities": ["text"],
        "tools": [tool],
    }
    conversation = Conversation()
    with ga.connect_sync("gpt-realtime-2.1", conversation=conversation) as connection:
        connection.send({"type": "session.update", "session": session})
        for event in connection:
            if event.type == "mcp_list_tools.completed":
                connection.send(ga.user_text(question))
                connection.send({"type": "response.create"})
            elif event.type == "mcp_list_tools.failed":
                sys.exit("The MCP server gave no tools.")
            elif event.type == "error":
                sys.exit(str(error_details(event)))
            elif event.type == "response.done":
                response = conversation.responses[event.response.id or ""]
                if response.status != "completed":
                    sys.exit(str(error_details(event)))
                requests = conversation.approvals_due
                for request in requests:
                    call = f"{request.server_label}.{request.name}({request.arguments})"
                    answer: ga.RealtimeMCPApprovalResponseParam = {
                        "id": uuid4().hex,
                        "type": "mcp_approval_response",
                        "approval_request_id": request.id,
                        "approve": input(f"Run {call}? [y/N] ") == "y",
                    }
                    connection.send({"type": "conversation.item.create", "item": answer})
                if requests:
                    connection.send({"type": "response.create"})
                # A response that only calls is followed by the one that says what came of it.
                elif response.text or all(item.type != "mcp_call" for item in response.items):
                    print(response.text)
                    return
    sys.exit("The session ended without an answer.")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit('usage: mcp_approval.py URL "QUESTION"')
    main(*sys.argv[1:])
