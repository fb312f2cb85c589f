"""Build `examples/weather` and serve the bundle: `hatch run demo`.

The variable PORT sets the port (3000). The printed `curl` command needs no key.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WEATHER = Path(__file__).parent / "weather"


def main() -> None:
    mastra = Path(sys.executable).with_name("mastra")
    subprocess.run([mastra, "build", "--dir", WEATHER], check=True)
    port = os.environ.setdefault("PORT", "3000")
    print(
        "\nServing. In another terminal:\n\n"
        f"  curl -s localhost:{port}/api/agents/weather/generate "
        "-H 'content-type: application/json' -d '{\"messages\": \"What is it like in Oslo?\"}'\n",
        flush=True,
    )
    os.execv(sys.executable, [sys.executable, str(WEATHER / ".mastra" / "index.py")])


if __name__ == "__main__":
    main()
