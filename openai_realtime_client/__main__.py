"""`python -m openai_realtime_client`: the command line."""

import sys

from openai_realtime_client.cli import main

if __name__ == "__main__":
    sys.exit(main())
