"""Serve a model that speaks the providers' protocols, with faults on demand."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time

import httpx

from tests.node import find_node, install_packages


@contextlib.contextmanager
def serve_model(directory, fixtures):
    """Serve these fixtures, and yield the URL."""
    home = install_packages("@copilotkit/aimock@1.43.0")
    path = directory / "fixtures.json"
    path.write_text(json.dumps({"fixtures": fixtures}))
    process = subprocess.Popen(
        [find_node(), home / "node_modules/.bin/llmock", "--port", "0", "--strict"]
        + ["--fixtures", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        url = ""
        while not url:
            line = process.stdout.readline()
            assert line, "the model server did not start"
            url = next((word for word in line.split() if word.startswith("http://")), "")
        _wait_for_answer(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def _wait_for_answer(url):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the model server at {url} does not answer")


def list_requests(url, words):
    """Return the requests to the model in which the user said ``words``."""
    entries = httpx.get(f"{url}/__aimock/journal?limit=1000", trust_env=False).json()
    return [entry for entry in entries if words in json.dumps(entry.get("body"))]


def build_turn(words, response, **more):
    """Build the fixture of the response to ``words``."""
    match = {"userMessage": words} | more.pop("match", {})
    return {"match": match, "response": response, **more}


def build_tool_turns(words, calls, answer):
    """Build the fixtures of the responses to ``words`` before and after tools have run."""
    return [
        build_turn(words, {"toolCalls": calls}, match={"hasToolResult": False}),
        build_turn(words, answer, match={"hasToolResult": True}),
    ]
