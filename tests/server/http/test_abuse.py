"""Ten thousand malformed requests: the server keeps responding and its memory does not grow."""

import asyncio
import contextlib
import random
import signal

import pytest

from tests.process_usage import read_resident_bytes

pytestmark = pytest.mark.slow

APP = "from tests.server.sample_app import create_sample\nmastra = create_sample()"
POSTS = (
    "/api/agents/echoAgent/generate",
    "/api/agents/echoAgent/stream",
    "/api/agents/echoAgent/observe",
    "/api/tools/addTool/execute",
    "/api/workflows/pureWorkflow/start-async",
    "/api/workflows/pureWorkflow/create-run",
    "/api/workflows/approveWorkflow/resume-async?runId=x",
    "/api/workflows/pureWorkflow/time-travel-async?runId=x",
    "/api/agents/echoAgent/approve-tool-call",
    "/api/agents/echoAgent/resume-stream",
    "/api/v1/responses",
    "/api/memory/threads?agentId=echoAgent",
    "/api/memory/save-messages?agentId=echoAgent",
    "/api/memory/messages/delete?agentId=echoAgent",
)
BODIES = (
    *(b"", b"{", b"nul", b"[]", b'"x"', b"1e999", b"\xff\xfe", b'{"a":\xc3}', b"\x00" * 50),
    *(b"[" * 5000, b'{"a":' * 5000, b'{"messages":' + b"[" * 3000 + b"]" * 3000 + b"}"),
    *(b'{"model": "echoAgent", "input": [[]]}', b'{"model": [], "input": {}}'),
    *(b'{"messageIds": [{}]}', b'{"resourceId": 1}', b'{"messages": [{"id": []}]}'),
    *(b'{"runId": "x", "toolCallId": {}}', b'{"step": [1], "inputData": []}'),
    *(b'{"messages": 1}', b'{"messages": [[]]}', b'{"messages": [{"role": "user"}]}'),
    *(b'{"messages": "\\ud800"}', b'{"messages": null}', b'{"data": {"a": 1e400}}'),
    *(b'{"data": {"a": ' + b"9" * 3000 + b"}}", b'{"inputData": {"n": "x"}}'),
    *(b'{"inputData": ' + b'{"n":' * 900 + b"1" + b"}" * 900 + b"}", b'{"runId": []}'),
)
PATHS = (
    *("//api/agents", "/api//agents", "/api/agents/", "/api/../api/agents", "/api/%2e%2e/health"),
    *("/api/agents/%00", "/api/agents/%ff%fe", "/api/agents/..%2f..%2fetc%2fpasswd", "/%"),
    *("/api/agents/" + "x" * 3000, "/api/tools/" + "%41" * 800, "/api/agents?" + "a=b&" * 900),
    *("/api/workflows/pureWorkflow/runs?page=-1", "/api/workflows/pureWorkflow/runs?page=1e9"),
    *("/api/workflows/pureWorkflow/runs?perPage=99999999999999999999&page=9999999999",),
    *("/api/tools?requestContext=%7B", "/api/workflows/pureWorkflow/runs?fromDate=0000-99"),
)
HEADERS = (
    *(b"x-a: " + b"y" * 20_000, b"\r\n".join(b"x-%d: y" % index for index in range(400))),
    *(b"authorization: " + b"\xff" * 50, b"content-type: text/\xe9", b"origin: \x80\xff"),
    *(b"last-event-id: a/99999999999999999999", b"last-event-id: ////", b"x-request-id: \xff"),
    *(b"traceparent: 00-zz-zz-zz", b"expect: 100-continue", b"transfer-encoding: gzip"),
)
RAW = (
    *(b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n"),
    *(b"GET /\xff\xff HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"),
    *(b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",),
    *(b"POST /api/tools/addTool/execute HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",),
    *(b"GET /api/agents HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",),
)
HUGE = b"x" * 65536


def build_post(path, body, header=b"x-none: 1"):
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n".encode()
    return head + header + b"\r\n\r\n" + body


def build_malformed(chance):
    """Return the next malformed request, of every kind in turn."""
    while True:
        yield build_post(chance.choice(POSTS), chance.choice(BODIES))
        yield f"GET {chance.choice(PATHS)} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        yield build_post(chance.choice(POSTS), b'{"messages": "x"}', chance.choice(HEADERS))
        yield chance.choice(RAW)


@contextlib.asynccontextmanager
async def open_connection(port):
    """Open a connection that is closed at the end; the server may close it first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def send_request(port, data, seconds=5.0):
    """Return the response; the server may also close the connection."""
    async with open_connection(port) as (reader, writer), asyncio.timeout(seconds):
        writer.write(data)
        return await reader.read(200)
    return b""


async def disconnect_early(port):
    """Open a stream and disconnect before its end."""
    await send_request(port, build_post("/api/agents/ticking/stream", b'{"messages": "x"}'))


async def send_endless_body(port):
    """Send a body without end."""
    head = b"POST /api/agents/echoAgent/generate HTTP/1.1\r\nhost: x\r\n"
    async with open_connection(port) as (reader, writer):
        writer.write(head + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(200):
            writer.write(b"10000\r\n" + HUGE + b"\r\n")
            await writer.drain()
        answer = await reader.read(100)
        assert b" 413 " in answer, answer


async def leave_requests_open(port, stack, count):
    """Start requests without completing them."""
    for index in range(count):
        _, writer = await stack.enter_async_context(open_connection(port))
        whole = build_post(POSTS[index % len(POSTS)], b'{"messages": "x"}')
        writer.write(whole[: index % (len(whole) - 1) + 1])


async def send_malformed_requests(port, count):
    kinds = build_malformed(random.Random(7))
    answers = []

    async def worker():
        answers.extend([await send_request(port, next(kinds)) for _ in range(count // 20)])

    await asyncio.gather(*(worker() for _ in range(20)))
    for _ in range(5):
        await asyncio.gather(*(disconnect_early(port) for _ in range(40)), send_endless_body(port))
    return answers


@pytest.mark.parametrize("count", [3000, pytest.param(10_000, marks=pytest.mark.full)])
def test_malformed_requests(process, count):
    server, port = process(APP)

    async def main():
        async with contextlib.AsyncExitStack() as stack:
            await leave_requests_open(port, stack, 200)
            await send_malformed_requests(port, 1000)
            before = read_resident_bytes(server.pid) / 2**20
            answers = await send_malformed_requests(port, count)
            after = read_resident_bytes(server.pid) / 2**20
            fine = await send_request(
                port, build_post("/api/agents/echoAgent/generate", b'{"messages": "hi"}')
            )
        return before, after, answers, fine

    before, after, answers, fine = asyncio.run(main())
    assert fine.startswith(b"HTTP/1.1 200")
    statuses = {int(answer.split()[1]) for answer in answers if answer.startswith(b"HTTP/1.1 ")}
    assert max(statuses) < 500, "".join(server.output)[-6000:]
    assert after < before * 1.2, (before, after)
    server.send_signal(signal.SIGTERM)
    assert server.wait(20) == 0
    server.reader.join(10)
    output = "".join(server.output)
    assert "Traceback" not in output, output[-3000:]
