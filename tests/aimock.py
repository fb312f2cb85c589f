"""A model server that speaks the providers' protocols, with faults on demand."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time

import httpx

from tests import node


@contextlib.contextmanager
def serving(directory, fixtures):
    """Serve these fixtures; gives the address."""
    home = node.modules("@copilotkit/aimock@1.43.0")
    path = directory / "fixtures.json"
    path.write_text(json.dumps({"fixtures": fixtures}))
    process = subprocess.Popen(
        [node.binary(), home / "node_modules/.bin/llmock", "--port", "0", "--strict"]
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
        _wait(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def _wait(url):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the model server at {url} does not answer")


def journal(url, words):
    """The requests in which the user said ``words``."""
    entries = httpx.get(f"{url}/__aimock/journal?limit=1000", trust_env=False).json()
    return [entry for entry in entries if words in json.dumps(entry.get("body"))]


def turn(words, response, **more):
    """What the model says to ``words``."""
    match = {"userMessage": words} | more.pop("match", {})
    return {"match": match, "response": response, **more}


def called(words, calls, answer):
    """What it says to ``words`` before and after a tool has answered."""
    return [
        turn(words, {"toolCalls": calls}, match={"hasToolResult": False}),
        turn(words, answer, match={"hasToolResult": True}),
    ]
