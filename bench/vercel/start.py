"""Starts a function once under Vercel's own runtime: python start.py FUNCTION PYTHON ANSWER

Into ANSWER go the seconds from its start to `server-started`, and to the first 200 of /health.
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

PATIENCE = 60  # seconds


def main(function: str, python: str, answer: str) -> None:
    began = time.perf_counter()
    with FunctionRuntime(Path(function), python, {}, lambda _: None) as runtime:
        started = time.perf_counter() - began
        while not _healthy(runtime.port):
            if time.perf_counter() - began > PATIENCE:
                sys.exit("no 200 on /health")
            time.sleep(0.002)
        Path(answer).write_text(json.dumps([started, time.perf_counter() - began]))


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
            return answer.status == http.HTTPStatus.OK
    except (urllib.error.URLError, ConnectionError):
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
