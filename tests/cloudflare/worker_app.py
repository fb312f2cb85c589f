"""An ASGI application that shows how a Worker runs it; it needs only httpx."""

import asyncio
import contextlib
import json
import os
import sys

AT_IMPORT = {name: os.environ.get(name) for name in ("GREETING", "SECRET_WORD")}
STARTS = []
TRIGGERS = []
ENDED = []


async def app(scope, receive, send):
    name = scope.get("path", "").strip("/").partition("/")[0].replace("-", "_")
    handlers = {"lifespan": run_lifespan, "websocket": echo_messages}
    handle = handlers.get(scope["type"]) or HANDLERS.get(name, describe)
    await handle(scope, receive, send)


async def run_lifespan(scope, receive, send):
    await receive()
    STARTS.append(1)
    await asyncio.sleep(0.8)  # all concurrent requests arrive meanwhile
    if len(STARTS) <= int(os.environ.get("FAILED_STARTS") or 0):
        raise RuntimeError("the database is missing")
    scope["state"]["word"] = "from the lifespan"
    await send({"type": "lifespan.startup.complete"})
    await receive()


async def read_body(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def respond(send, content, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": content})


async def describe(scope, receive, send):
    body = await read_body(receive)
    facts = {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "client": scope["client"],
        "server": scope["server"],
        "size": len(body),
        "starts": len(STARTS),
        "state": scope["state"],
        "triggers": TRIGGERS,
        "ended": len(ENDED),
        "at_import": AT_IMPORT,
        "now": {name: os.environ.get(name) for name in AT_IMPORT},
        "modules": sorted(name for name in sys.modules if name.startswith("_mastra")),
    }
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"a=1")]
    await respond(send, json.dumps(facts).encode(), headers=[*headers, (b"set-cookie", b"b=2")])


async def empty(scope, receive, send):
    await respond(send, b"", 204)


async def redirect(scope, receive, send):
    await respond(send, b"", 307, [(b"location", b"/elsewhere?a=%20b")])


async def much(scope, receive, send):
    await respond(send, b"x" * int(scope["query_string"]), headers=[(b"x-kept", b"yes")])


async def stream(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(4):
        await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
        await asyncio.sleep(0.2)
    await send({"type": "http.response.body", "body": b""})


async def endless(scope, receive, send):
    """Send until the client leaves; the app is told so."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    listener = asyncio.create_task(wait_for_disconnect(receive))
    while not listener.done():
        await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
        await asyncio.sleep(0.02)
    ENDED.append(1)


async def wait_for_disconnect(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


async def break_off(scope, receive, send):
    """Fail in the middle of a response; at its beginning with a query."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1 if scope["query_string"] else 3):
        await send({"type": "http.response.body", "body": b"some\n", "more_body": True})
    raise RuntimeError("internal-4711")


async def fail_after(scope, receive, send):
    await stream(scope, receive, send)
    raise RuntimeError("internal-4711")


async def timers(scope, receive, send):
    """Set timers for times that have passed."""
    loop, calls = asyncio.get_running_loop(), []
    loop.call_later(-1, calls.append, "later")
    loop.call_at(loop.time() - 1, calls.append, "at")
    await asyncio.sleep(0.01)
    await respond(send, " ".join(sorted(calls)).encode())


async def fail(scope, receive, send):
    raise RuntimeError("internal-4711")


async def cancel(scope, receive, send):
    raise asyncio.CancelledError


async def threads(scope, receive, send):
    words = [
        await asyncio.to_thread(str.upper, "thread"),
        await asyncio.get_running_loop().run_in_executor(None, str.lower, "EXECUTOR"),
    ]
    await respond(send, json.dumps(words).encode())


async def outbound(scope, receive, send):
    """Call a server with httpx, in both ways."""
    import httpx

    url = scope["query_string"].decode()
    async with httpx.AsyncClient() as client:
        async with client.stream("GET", f"{url}/stream") as response:
            pieces = [piece async for piece in response.aiter_text()]
        posted = await client.post(url, content=b"x" * 1000, headers={"x-mine": "1"})
        try:
            await client.get(f"{url}/slow", timeout=0.2)
        except httpx.ReadTimeout as error:
            failure = type(error).__name__
        patient = await client.get(f"{url}/slow", timeout=httpx.Timeout(0.3, connect=30))
        try:
            await client.get(f"{url}/stalled", timeout=0.3)
        except httpx.ReadTimeout as error:
            failure += f", {error}"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(client.get(f"{url}/held", timeout=None), 0.3)
    with httpx.Client() as client:
        blocking = client.get(f"{url}/blocking").json()
    facts = {
        "pieces": pieces,
        "posted": posted.json(),
        "cookies": posted.headers.get_list("set-cookie"),
        "patient": patient.json(),
        "failure": failure,
        "blocking": blocking,
    }
    await respond(send, json.dumps(facts).encode())


async def cdn_cgi(scope, receive, send):
    TRIGGERS.append(scope["query_string"].decode())
    await respond(send, b"", 500 if b"failing" in scope["query_string"] else 200)


async def echo_messages(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    facts = [scope["scheme"], "method" in scope, scope["subprotocols"], len(STARTS)]
    facts += [scope["state"]["word"], scope["client"][0]]
    await send({"type": "websocket.send", "text": json.dumps(facts)})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "close":
            return await send({"type": "websocket.close", "code": 4001, "reason": "as asked"})
        await send({**message, "type": "websocket.send"})
    return ENDED.append(message["code"])


HANDLERS = {
    handle.__name__: handle
    for handle in (
        *(empty, redirect, much, stream, endless, break_off, fail_after, timers),
        *(fail, cancel, threads, outbound, cdn_cgi),
    )
}
