"""A model server that speaks OpenAI's protocol and follows a script in the user's message.

The script is a JSON list with one element for each turn. A list of names calls these tools. A text
is the answer, which the server sends word by word. It waits after each word while the file
``hold_words`` exists.
"""

import contextlib
import http.server
import json
import threading
import time


class ScriptedModel(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next turn of the script."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        turn, script = read_script(body["messages"])
        self.server.requests.append((turn, script))
        self.server.bodies.append(body)
        self.send_response(200)
        with contextlib.suppress(ConnectionError):
            if body.get("stream"):
                self.send_stream(turn, script[turn])
            else:
                self.send_answer(turn, script[turn])

    def send_answer(self, turn, step):
        message = {"role": "assistant", "content": step if isinstance(step, str) else None}
        if not isinstance(step, str):
            message["tool_calls"] = build_calls(turn, step)
        choice = {"index": 0, "message": message, "finish_reason": get_reason(step)}
        data = json.dumps({**ENVELOPE, "object": "chat.completion", "choices": [choice]}).encode()
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_stream(self, turn, step):
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        if isinstance(step, str):
            for word in step.split(" "):
                self.send_delta({"content": f"{word} "})
                while self.server.hold_words.exists():
                    time.sleep(0.02)
        else:
            calls = build_calls(turn, step)
            self.send_delta({"tool_calls": [{"index": i, **call} for i, call in enumerate(calls)]})
        self.send_delta({}, get_reason(step))
        self.wfile.write(b"data: [DONE]\n\n")

    def send_delta(self, delta, reason=None):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = {**ENVELOPE, "object": "chat.completion.chunk", "choices": [choice]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


ENVELOPE = {
    "id": "answer",
    "created": 1,
    "model": "scripted",
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def read_script(messages):
    """Return the number of the turn, and the script of the last message of the user."""
    last = max(index for index, each in enumerate(messages) if each["role"] == "user")
    content = messages[last]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    turn = sum(each["role"] == "assistant" for each in messages[last:])
    return turn, json.loads(text)


def build_calls(turn, names):
    return [
        {
            "id": f"call-{turn}-{index}",
            "type": "function",
            "function": {"name": name, "arguments": "{}"},
        }
        for index, name in enumerate(names)
    ]


def get_reason(step):
    return "stop" if isinstance(step, str) else "tool_calls"


@contextlib.contextmanager
def serve_scripted_model(directory):
    """Yield a server with its URL, its requests, and the file ``hold_words``."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ScriptedModel)
    server.requests, server.bodies = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    server.hold_words = directory / "hold_words"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.hold_words.unlink(missing_ok=True)
        server.shutdown()
        server.server_close()
