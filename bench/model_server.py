"""A model server on the loopback that speaks OpenAI's chat protocol and answers "echo"."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/v1/chat/completions"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@contextlib.contextmanager
def serve_model() -> Iterator[dict[str, str]]:
    """Serve the model and yield the environment variables that OpenAI's client reads."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _ChatHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
    finally:
        server.shutdown()
        server.server_close()


class _ChatHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path != PATH:
            self.send_error(404)
            return
        request = json.loads(content)
        if request.get("stream"):
            self._send_stream(request)
        else:
            self._send("application/json", json.dumps(_build_completion(request)).encode())

    def _send_stream(self, request: dict[str, Any]) -> None:
        events = [f"data: {json.dumps(chunk)}\n\n" for chunk in _build_chunks(request)]
        self._send("text/event-stream", "".join([*events, "data: [DONE]\n\n"]).encode())

    def _send(self, content_type: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _build_completion(request: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "echo", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_build_head(request, "chat.completion"), "choices": [choice], "usage": USAGE}


def _build_chunks(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    head = _build_head(request, "chat.completion.chunk")
    delta = {"role": "assistant", "content": "echo"}
    yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": USAGE}


def _build_head(request: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 0, "model": request.get("model")}
