"""A text turn with a deployment in Azure, with a key or with a token of Microsoft Entra.

    python examples/azure_text.py "What is the tallest mountain?"

AZURE_OPENAI_ENDPOINT is the URL of the resource, such as https://NAME.openai.azure.com, and
AZURE_OPENAI_DEPLOYMENT the name of the deployment. The key is in AZURE_OPENAI_API_KEY; where that
is not set, whoever is logged in to the Azure CLI is asked for a token. With `python
examples/without_key.py` in place of `python` it talks to the embedded server.

The file is not called azure.py, because then `import azure.identity` would find it first.
"""

from __future__ import annotations

import os
import subprocess
import sys

from openai_realtime_client import azure, error_details, ga


def token() -> str:
    """Return a token. For a service azure-identity has them, see the Azure guide."""
    command = ["az", "account", "get-access-token", "--resource", "https://ai.azure.com"]
    output = ["--query", "accessToken", "--output", "tsv"]
    return subprocess.check_output([*command, *output], text=True).strip()


def main(question: str) -> None:
    """Ask in text, and print the answer as it comes."""
    deployment = azure(
        os.environ["AZURE_OPENAI_ENDPOINT"],
        os.environ["AZURE_OPENAI_DEPLOYMENT"],
        token=None if "AZURE_OPENAI_API_KEY" in os.environ else token,
    )
    with ga.connect_sync(azure=deployment) as connection:
        connection.send(ga.user_text(question))
        connection.send({"type": "response.create", "response": {"output_modalities": ["text"]}})
        for event in connection:
            if event.type == "response.output_text.delta":
                print(event.delta, end="", flush=True)
            elif event.type == "response.done" and event.response.status == "completed":
                print()
                return
            elif event.type in ("error", "response.done"):
                sys.exit(str(error_details(event)))
    sys.exit("The session ended without an answer.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: azure_text.py "QUESTION"')
    main(sys.argv[1])
