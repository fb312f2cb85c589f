"""Runtimes that treat the acceptance suite's application wrongly, as ASGI applications around it.

Each defect is a function `defect(app, scope, receive, send)`.
"""

import asyncio
import functools
from urllib.parse import parse_qsl, quote, urlencode

from mastra_deployer.testing.acceptance.app_fixtures import KEY


async def buffer_response(app, scope, receive, send):
    messages = []

    async def collect(message):
        messages.append(message)

    await app(scope, receive, collect)
    for message in messages:
        await send(message)


@functools.cache
def get_lock():
    return asyncio.Lock()


async def handle_one_request_at_a_time(app, scope, receive, send):
    async with get_lock():
        await app(scope, receive, send)


async def keep_one_header_of_each_name(app, scope, receive, send):
    async def send_less(message):
        if message["type"] == "http.response.start":
            message = {**message, "headers": list(dict(message["headers"]).items())}
        await send(message)

    await app(scope, receive, send_less)


async def decode_response_as_text(app, scope, receive, send):
    async def send_text(message):
        if body := message.get("body"):
            message = {**message, "body": body.decode(errors="replace").encode()[: len(body)]}
        await send(message)

    await app(scope, receive, send_text)


async def escape_path_twice(app, scope, receive, send):
    await app({**scope, "path": quote(scope["path"])}, receive, send)


async def keep_one_value_of_each_query_key(app, scope, receive, send):
    query = urlencode(dict(parse_qsl(scope["query_string"].decode()))).encode()
    await app({**scope, "query_string": query}, receive, send)


async def ignore_bodies_in_chunks(app, scope, receive, send):
    async def receive_nothing():
        return {"type": "http.request", "body": b"", "more_body": False}

    is_chunked = b"transfer-encoding" in dict(scope["headers"])
    await app(scope, receive_nothing if is_chunked else receive, send)


async def answer_large_requests_with_500(app, scope, receive, send):
    if int(dict(scope["headers"]).get(b"content-length", 0)) > 1_000_000:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    else:
        await app(scope, receive, send)


async def hide_disconnects(app, scope, receive, send):
    async def receive_late():
        message = await receive()
        if message["type"] == "http.disconnect":
            await asyncio.sleep(2)
        return message

    await app(scope, receive_late, send)


async def add_the_key(app, scope, receive, send):
    headers = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
    headers.append((b"authorization", f"Bearer {KEY}".encode()))
    await app({**scope, "headers": headers}, receive, send)


CALLERS = []


async def keep_headers_of_an_earlier_request(app, scope, receive, send):
    CALLERS.extend(pair for pair in scope["headers"] if pair[0] == b"x-caller")
    headers = [pair for pair in scope["headers"] if pair[0] != b"x-caller"] + CALLERS[:1]
    await app({**scope, "headers": headers}, receive, send)


async def refuse_preflight_requests(app, scope, receive, send):
    if scope["method"] == "OPTIONS":
        await send({"type": "http.response.start", "status": 405, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    else:
        await app(scope, receive, send)


DEFECTS = {  # the test that must fail
    buffer_response: "test_streams_arrive_while_they_are_produced",
    handle_one_request_at_a_time: "test_streams_arrive_while_they_are_produced",
    keep_one_header_of_each_name: "test_a_response_reaches_the_client_unchanged",
    decode_response_as_text: "test_a_response_reaches_the_client_unchanged",
    escape_path_twice: "test_a_request_reaches_the_app_unchanged",
    keep_one_value_of_each_query_key: "test_a_request_reaches_the_app_unchanged",
    ignore_bodies_in_chunks: "test_a_large_request_is_received",
    answer_large_requests_with_500: "test_a_large_request_is_received",
    hide_disconnects: "test_a_run_ends_when_its_client_leaves",
    add_the_key: "test_a_request_without_the_key_is_refused",
    keep_headers_of_an_earlier_request: "test_concurrent_requests_keep_their_context",
    refuse_preflight_requests: "test_pages_of_other_origins_are_answered",
}
