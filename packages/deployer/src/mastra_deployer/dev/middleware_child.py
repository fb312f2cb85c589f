"""The middleware of the app in development.

The middleware refuses requests of foreign web pages, logs requests, and shows a page if the saved
version does not work.
"""

import asyncio
import json
import logging
import os
import sys
import time

PROBE = "/__mastra/dev"  # the path at which the page asks whether it is outdated
CANCELLED = "The app version that received this request has ended. Send the request again."


class DevMiddleware:
    """The app with a check of the request's origin, a request log and error pages.

    Every response closes its connection. A kept-alive connection would continue to use this version
    after the next version has taken over, and could be closed during a later request.
    """

    def __init__(self, app, quiet, access, sockets):
        self.app = app
        self.quiet = quiet
        self.access = access
        self.sockets = sockets
        self.page = None
        self.error = None
        self.state = getattr(app, "state", None)  # the key that the server sets while it drains
        self.use_colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.handle_lifespan(scope, receive, send)
        problem = self.find_problem(scope)
        if problem:
            return await self.refuse(scope, send, problem)
        if scope["type"] == "websocket":
            return await self.sockets.run(self.app, scope, receive, send)
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"] == PROBE:
            return await send_response(send, 200, "application/json", format_probe(self.page))
        if self.page and is_page_request(scope):
            text = self.page["near" if self.is_local_request(scope) else "far"]
            policy = (b"content-security-policy", self.access.frame_policy.encode())
            return await send_response(send, 500, "text/html; charset=utf-8", text, policy)
        return await self.handle_request(scope, receive, send)

    async def handle_lifespan(self, scope, receive, send):
        """Store the exception of the lifespan, because the server reports only the failure."""
        try:
            await self.app(scope, receive, send)
        except BaseException as error:
            self.error = error
            raise

    def find_problem(self, scope):
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in get_headers(scope)
        ]
        return self.access.find_problem(scope.get("method", "GET"), headers)

    async def refuse(self, scope, send, problem):
        """Refuse a request and log the reason, because the browser does not show the response."""
        if not self.quiet:
            self.log_request(scope, 403, 0)
            sys.stderr.write(f"  {problem}\n")
            sys.stderr.flush()
        if scope["type"] == "websocket":
            # Before the handshake, the ASGI server answers this with a 403.
            return await send({"type": "websocket.close", "code": 1008})
        return await send_response(send, 403, "application/json", json.dumps({"error": problem}))

    def is_local_request(self, scope):
        client = (scope.get("client") or ("",))[0]
        host = dict(get_headers(scope)).get(b"host", b"").decode("latin-1")
        return self.access.is_loopback_request(client, host)

    async def handle_request(self, scope, receive, send):
        start = time.perf_counter()
        status, has_started = 500, False  # the status of a response that never starts

        async def watch(message):
            nonlocal status, has_started
            if message["type"] == "http.response.start":
                status, has_started = message["status"], True
                message = {
                    **message,
                    "headers": add_connection_close(scope, message.get("headers", ())),
                }
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except asyncio.CancelledError:
            if not asyncio.current_task().cancelling():  # the app raises it
                raise
            # The server logs each interrupted stream.
            logging.getLogger("uvicorn.error").disabled = True
            if has_started:
                raise
            status = 503
            await send_response(send, status, "application/json", json.dumps({"error": CANCELLED}))
        finally:
            if not self.quiet:
                self.log_request(scope, status, (time.perf_counter() - start) * 1000)

    def log_request(self, scope, status, milliseconds):
        # The path stays percent-encoded, because control characters would reach the terminal. The
        # query is left out, because it may contain tokens.
        path = scope.get("raw_path") or scope["path"].encode("ascii", "backslashreplace")
        path = path.partition(b"?")[0].decode("latin-1")
        path = "".join(each if "!" <= each <= "~" else "?" for each in path)
        timestamp, code = time.strftime("%H:%M:%S"), str(status)
        if self.use_colors:
            color = {2: 32, 3: 36, 4: 33, 5: 31}.get(status // 100, 0)
            timestamp, code = f"\x1b[2m{timestamp}\x1b[0m", f"\x1b[{color}m{code}\x1b[0m"
        method = scope.get("method", "WEBSOCKET")
        line = f"{timestamp} {method} {path} {code} {milliseconds:.0f} ms\n"
        sys.stderr.write(line)
        sys.stderr.flush()


def add_connection_close(scope, headers):
    headers = list(headers)
    has_header = any(bytes(name).lower() == b"connection" for name, _ in headers)
    if has_header or not scope.get("http_version", "1.1").startswith("1"):
        return headers
    return [*headers, (b"connection", b"close")]


def is_page_request(scope):
    """Return whether a request comes from a browser that opens a page, and not from a script."""
    headers = dict(get_headers(scope))
    return (
        scope["method"] in ("GET", "HEAD")
        and b"text/html" in headers.get(b"accept", b"")
        and headers.get(b"sec-fetch-mode", b"navigate") == b"navigate"
    )


def get_headers(scope):
    return [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]


def format_probe(page):
    return json.dumps({"problem": page["id"] if page else ""})


async def send_response(send, status, kind, text, *more_headers):
    body = text.encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        *more_headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
