"""Runs another example against the embedded server, without key or network.

    python examples/without_key.py examples/function_calling.py "What is the weather in Paris?"

The server answers "You said: …", and calls a function whose name's last word is in the question.
Its MCP server has a tool `news`.
"""

from __future__ import annotations

import os
import subprocess
import sys

from openai_realtime_client.testing import McpTool, ReplayServer


def main(command: list[str]) -> int:
    """Serve while a Python program runs; gives its exit status."""
    with ReplayServer(mcp={"tools": [McpTool("news", "Nothing is new.")]}) as server:
        settings = {
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": "any",
            "AZURE_OPENAI_ENDPOINT": server.azure_endpoint,
            "AZURE_OPENAI_DEPLOYMENT": "any",
            "AZURE_OPENAI_API_KEY": "any",
        }
        return subprocess.run([sys.executable, *command], env={**os.environ, **settings}).returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: without_key.py EXAMPLE.py [ARGUMENT …]")
    sys.exit(main(sys.argv[1:]))
