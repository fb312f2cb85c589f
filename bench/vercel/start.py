"""Start a function once under Vercel's own runtime: python start.py FUNCTION PYTHON OUTPUT

OUTPUT is a JSON file: the seconds until `server-started`, and until the first 200 of /health.
"""

from __future__ import annotations

import http
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from mastra_deployer_vercel.preview.function_runtime import FunctionRuntime

TIMEOUT = 60  # seconds


def main(function: str, python: str, output: str) -> None:
    start = time.perf_counter()
    with FunctionRuntime(Path(function), python, {}, lambda _: None) as runtime:
        started = time.perf_counter() - start
        while not _is_healthy(runtime.port):
            if time.perf_counter() - start > TIMEOUT:
                sys.exit(f"no 200 on /health within {TIMEOUT} s")
            time.sleep(0.002)
        Path(output).write_text(json.dumps([started, time.perf_counter() - start]))


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as response:
            return response.status == http.HTTPStatus.OK
    except (urllib.error.URLError, ConnectionError):
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
