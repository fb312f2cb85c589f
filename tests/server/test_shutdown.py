"""Test graceful shutdown, and that only trusted proxies set the client address."""

import asyncio
import json
import signal
import socket

import httpx
import pytest

APP = """
    import asyncio
    from mastra_core import ApiRoute, Mastra, Server

    async def slow(text: str) -> str:
        await asyncio.sleep(0.3)
        return text

    def seen(request):
        return {"client": request.client.host, "scheme": request.url.scheme}

    mastra = Mastra(
        agents={"slow": slow},
        server=Server(api_routes=[ApiRoute(path="/seen", handler=seen)], %s),
    )
"""


def test_sigterm_under_load_drops_nothing(process):
    server, port = process(APP % "")
    answers, refused = asyncio.run(_send_on_new_connections(server, port))
    assert server.wait(10) == 0
    assert len(answers) > 50
    assert set(answers) == {200}
    assert refused, "the load ended before the server did"


async def _send_on_new_connections(server, port):
    """Send requests on new connections until the server stops listening."""
    answers, refused = [], []

    async def client():
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                refused.append(1)
                return
            body = json.dumps({"messages": "x"}).encode()
            head = f"POST /api/agents/slow/generate HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
            writer.write(f"{head}connection: close\r\n\r\n".encode() + body)
            status = await reader.readline()
            answers.append(int(status.split()[1]) if status else 0)
            writer.close()

    clients = [asyncio.create_task(client()) for _ in range(20)]
    await asyncio.sleep(1.5)
    server.send_signal(signal.SIGTERM)
    await asyncio.gather(*clients)
    return answers, refused


def test_sigterm_drops_nothing_on_open_connections(process):
    server, port = process(APP % "")
    answers = asyncio.run(_send_on_open_connections(server, port))
    assert server.wait(10) == 0
    assert len(answers) > 200
    assert set(answers) == {200}


async def _send_on_open_connections(server, port):
    """Send requests as fast as they are answered on open connections until they are closed."""
    answers = []

    async def client():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        last = False
        while not last:
            writer.write(b"GET /seen HTTP/1.1\r\nhost: x\r\n\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            answers.append(int(head.split()[1]))
            last = b"connection: close" in head
            assert head.count(b"connection:") == last
        writer.close()

    clients = [asyncio.create_task(client()) for _ in range(20)]
    await asyncio.sleep(1)
    server.send_signal(signal.SIGTERM)
    await asyncio.gather(*clients)
    return answers


def test_ready_says_no_while_it_drains(process):
    for _ in range(5):
        status = get_ready_while_draining(*process(APP % ""))
        if status is not None:
            assert status == 503
            return
    pytest.fail("the server closed the connection before the request, five times")


def get_ready_while_draining(server, port):
    """Return the status, or None where the server was quicker to close the idle connection."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        assert http.get("/ready").status_code == 200
        slow = socket.create_connection(("127.0.0.1", port))
        body = b'{"messages": "x"}'
        slow.sendall(
            b"POST /api/agents/slow/stream HTTP/1.1\r\nhost: x\r\n"
            b"content-length: %d\r\n\r\n" % len(body) + body
        )
        assert slow.recv(100).startswith(b"HTTP/1.1 200")  # this run holds the server for 0.3 s
        server.send_signal(signal.SIGTERM)
        try:
            status = http.get("/ready").status_code
        except httpx.TransportError:
            status = None
        slow.close()
    assert server.wait(10) == 0
    return status


@pytest.mark.parametrize(
    ("settings", "client"),
    [("", "203.0.113.7"), ("trusted_proxies=['10.0.0.1'],", "127.0.0.1")],
)
def test_only_trusted_proxies_set_the_client_address(process, settings, client):
    _, port = process(APP % settings)
    forwarded = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}
    told = httpx.get(f"http://127.0.0.1:{port}/seen", headers=forwarded, trust_env=False).json()
    assert told == {"client": client, "scheme": "https" if client[0] == "2" else "http"}
