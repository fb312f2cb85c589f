"""A model server on the loopback that speaks OpenAI's chat protocol, in a process of its own.

python bench/model_server.py     print the port, and serve until the standard input ends

The model "caller" calls the first tool of a request, and then answers in 20 words. Every other
model answers "echo". A streamed answer has one piece for each word.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

PATH = "/v1/chat/completions"
COUNT_PATH = "/answers"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
WORDS = tuple(f"word{number} " for number in range(20))
ARGUMENTS = ('{"a": 1', ', "b": 2}')  # of the tool `add`, in two pieces


@contextlib.contextmanager
def serve_model() -> Iterator[dict[str, str]]:
    """Serve the model and yield the environment variables that OpenAI's client reads."""
    command = [sys.executable, __file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # ends with its input
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "none"}
        finally:
            process.stdin.close()


def count_answers(environ: dict[str, str]) -> int:
    """Return how many runs have got their last answer so far.

    :param environ: what ``serve_model`` yields.
    """
    host = environ["OPENAI_BASE_URL"].split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", COUNT_PATH, "")
        return int(connection.getresponse().read())


class _ModelProtocol(asyncio.Protocol):
    """A connection that stays open between requests."""

    answered = 0

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while not self._transport.is_closing() and (request := self._take_request()):
            self._respond(*request)

    def _take_request(self) -> tuple[str, bytes] | None:
        """Return the path and the body of the next request, once it has arrived."""
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return None
        line, *headers = head.decode("latin-1").split("\r\n")
        names = dict(each.lower().split(": ", maxsplit=1) for each in headers)
        size = int(names.get("content-length", 0))
        if len(rest) < size:
            return None
        self._received = rest[size:]
        return line.split(" ")[1], rest[:size]

    def _respond(self, path: str, body: bytes) -> None:
        if path == COUNT_PATH:
            self._send("200 OK", "text/plain", str(_ModelProtocol.answered).encode())
        elif path != PATH:
            self._send("404 Not Found", "application/json", b'{"error": {"message": "no path"}}')
        else:
            self._complete(json.loads(body))

    def _complete(self, request: dict[str, Any]) -> None:
        calls = _wants_call(request)
        _ModelProtocol.answered += not calls
        if request.get("stream"):
            self._send_pieces(_build_chunks(request, calls))
        else:
            completion = _build_completion(request, calls)
            self._send("200 OK", "application/json", json.dumps(completion).encode())

    def _send(self, status: str, content_type: str, content: bytes) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n"
        self._transport.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)

    def _send_pieces(self, chunks: Iterator[dict[str, Any]]) -> None:
        """Send each event by a write of its own, as a model does that is generating."""
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        self._transport.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        for data in (*map(json.dumps, chunks), "[DONE]"):
            event = f"data: {data}\n\n"
            self._transport.write(f"{len(event):x}\r\n{event}\r\n".encode())
        self._transport.write(b"0\r\n\r\n")


def _wants_call(request: dict[str, Any]) -> bool:
    """Return whether the model calls a tool, which it does once."""
    last = request["messages"][-1]["role"]
    return request["model"] == "caller" and bool(request.get("tools")) and last != "tool"


def _build_completion(request: dict[str, Any], calls: bool) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(_list_words(request)), "refusal": None}
    reason = "stop"
    if calls:
        message |= {"content": None, "tool_calls": [_build_call(request, "".join(ARGUMENTS))]}
        reason = "tool_calls"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {**_build_head(request, "chat.completion"), "choices": [choice], "usage": USAGE}


def _build_chunks(request: dict[str, Any], calls: bool) -> Iterator[dict[str, Any]]:
    head = _build_head(request, "chat.completion.chunk")
    if calls:
        deltas = [{"tool_calls": [{"index": 0, **_build_call(request, "")}]}]
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in ARGUMENTS
        ]
    else:
        deltas = [{"content": word} for word in _list_words(request)]
    for delta in ({"role": "assistant"} | deltas[0], *deltas[1:]):
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    reason = "tool_calls" if calls else "stop"
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": USAGE}


def _list_words(request: dict[str, Any]) -> tuple[str, ...]:
    return WORDS if request["model"] == "caller" else ("echo",)


def _build_call(request: dict[str, Any], arguments: str) -> dict[str, Any]:
    function = {"name": request["tools"][0]["function"]["name"], "arguments": arguments}
    return {"id": "call_1", "type": "function", "function": function}


def _build_head(request: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 0, "model": request["model"]}


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_ModelProtocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
