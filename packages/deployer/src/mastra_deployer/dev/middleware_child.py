"""What stands before the app in development: a line a request, and a page when a save broke it."""

import json
import os
import sys
import time

PROBE = "/__mastra/dev"  # where the page asks whether it is still true
LOCAL = ("127.0.0.1", "::1", "localhost")


class Front:
    """The app, and what a developer wants to see of it.

    Every answer ends its connection. A kept one would go on asking this version after the next
    has taken over, and would be cut at the very moment of a request.
    """

    def __init__(self, app, quiet):
        self.app = app
        self.quiet = quiet
        self.page = None
        self.error = None
        self.state = getattr(app, "state", None)  # where the server says that it drains
        self.colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.lifespan(scope, receive, send)
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"] == PROBE:
            return await answer(send, 200, "application/json", probe(self.page))
        if self.page and wants_page(scope):
            text = self.page["near" if is_near(scope) else "far"]
            return await answer(send, 500, "text/html; charset=utf-8", text)
        return await self.request(scope, receive, send)

    async def lifespan(self, scope, receive, send):
        """Keep what is raised: the server itself only says that the start failed."""
        try:
            await self.app(scope, receive, send)
        except BaseException as error:
            self.error = error
            raise

    async def request(self, scope, receive, send):
        started = time.perf_counter()
        status = 500  # of an answer that never began

        async def watch(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": closing(scope, message.get("headers", ()))}
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            if not self.quiet:
                self.told(scope, status, (time.perf_counter() - started) * 1000)

    def told(self, scope, status, milliseconds):
        # As it was sent, in percent signs: decoded it could draw on the terminal. No query, which
        # is where tokens are.
        path = scope.get("raw_path") or scope["path"].encode("ascii", "backslashreplace")
        path = path.partition(b"?")[0].decode("latin-1")
        path = "".join(each if "!" <= each <= "~" else "?" for each in path)
        moment, code = time.strftime("%H:%M:%S"), str(status)
        if self.colour:
            shade = {2: 32, 3: 36, 4: 33, 5: 31}.get(status // 100, 0)
            moment, code = f"\x1b[2m{moment}\x1b[0m", f"\x1b[{shade}m{code}\x1b[0m"
        line = f"{moment} {scope['method']} {path} {code} {milliseconds:.0f} ms\n"
        sys.stderr.write(line)
        sys.stderr.flush()


def closing(scope, headers):
    headers = list(headers)
    given = any(bytes(name).lower() == b"connection" for name, _ in headers)
    if given or not scope.get("http_version", "1.1").startswith("1"):
        return headers
    return [*headers, (b"connection", b"close")]


def wants_page(scope):
    """Whether a person is looking: a page is opened, not fetched by a script."""
    headers = {bytes(name).lower(): bytes(value) for name, value in scope["headers"]}
    return (
        scope["method"] in ("GET", "HEAD")
        and b"text/html" in headers.get(b"accept", b"")
        and headers.get(b"sec-fetch-mode", b"navigate") == b"navigate"
    )


def is_near(scope):
    headers = {bytes(name).lower(): bytes(value) for name, value in scope["headers"]}
    client = (scope.get("client") or ("",))[0]
    return is_own(client, headers.get(b"host", b"").decode("latin-1"))


def is_own(client, host):
    """Whether this machine asks, under its own name: what is shown has source lines in it.

    A page of another name that leads to this address must not read them either.
    """
    bare = host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
    return client in LOCAL and bare.strip("[]") in LOCAL


def probe(page):
    return json.dumps({"problem": page["id"] if page else ""})


async def answer(send, status, kind, text):
    body = text.encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
