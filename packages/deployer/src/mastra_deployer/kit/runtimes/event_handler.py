"""Answer the HTTP events of a function platform with the app of this bundle.

    handler(event, context)  the result for a function URL of AWS Lambda, or for an HTTP API of
                             API Gateway (version 2.0 of the events)

Each response is returned as a whole. The event loop and the app's lifespan exist as long as the
instance of the function.

This file needs only the standard library. `mastra_deployer.kit.write_event_handler` writes this
file into a bundle, with the constant below.
"""

import asyncio
import base64
import importlib
import json
from urllib.parse import unquote

LAUNCHER = "serverless_launcher"

launcher = importlib.import_module(LAUNCHER)
loop = asyncio.new_event_loop()
ERROR = json.dumps({"error": "Internal Server Error"}).encode()


def handler(event, context):
    if not isinstance(event, dict) or "http" not in (event.get("requestContext") or {}):
        raise ValueError("The event is not an HTTP event of version 2.0.")
    return loop.run_until_complete(Exchange(event).run())


class Exchange:
    """One request and its response."""

    def __init__(self, event):
        self.scope, self.body = build_scope(event), read_body(event)
        self.status, self.headers, self.content = 0, [], []
        self.is_read, self.ended = False, asyncio.Event()

    async def run(self):
        try:
            await launcher.app(self.scope, self.receive, self.send)
        except Exception as error:
            launcher.log_error(error)
            self.status = 0
        if not self.status:
            self.headers, self.content = [(b"content-type", b"application/json")], [ERROR]
        return build_result(self.status or 500, self.headers, b"".join(self.content))

    async def receive(self):
        if not self.is_read:
            self.is_read = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.content.append(message.get("body", b""))
            if not message.get("more_body"):
                self.ended.set()


def build_scope(event):
    context = event["requestContext"]
    path, stage = event.get("rawPath") or "/", context.get("stage") or "$default"
    if stage != "$default":  # a named stage of API Gateway begins the path
        path = path.removeprefix("/" + stage) or "/"
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if event.get("cookies"):
        headers["cookie"] = "; ".join(event["cookies"])
    host, _, port = headers.get("host", "").partition(":")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": context["http"]["method"].upper(),
        "scheme": headers.get("x-forwarded-proto", "https"),
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": (event.get("rawQueryString") or "").encode(),
        "root_path": "",
        "headers": [(name.encode(), encode_value(text)) for name, text in headers.items()],
        "client": (context["http"].get("sourceIp") or "", 0),
        "server": (host, int(port) if port.isdigit() else 443),
        "state": {},
    }


def encode_value(text):
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:  # the platform has decoded UTF-8
        return text.encode()


def read_body(event):
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def build_result(status, headers, content):
    merged, cookies = {}, []
    for name, value in headers:
        name, value = name.decode("latin-1").lower(), value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        else:
            merged[name] = "%s, %s" % (merged[name], value) if name in merged else value
    result = {"statusCode": status, "headers": merged, "cookies": cookies}
    try:
        return dict(result, body=content.decode(), isBase64Encoded=False)
    except UnicodeDecodeError:
        return dict(result, body=base64.b64encode(content).decode(), isBase64Encoded=True)
