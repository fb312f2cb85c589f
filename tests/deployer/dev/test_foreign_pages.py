"""Attack `mastra dev` from pages of other origins, and use it from those that are allowed."""

import contextlib
import json
import socket
from pathlib import Path

import httpx
import pytest

from tests.deployer.dev.dev_process import run_dev
from tests.deployer.studio.chromium import find_chromium
from tests.node import install_packages, run_script
from tests.sample_projects import ECHO, STARLETTE, write_project
from tests.scripted_server import serve

pytestmark = pytest.mark.slow
INDEX = "src/mastra/index.py"
FRIEND = "http://friend.example"
APP = """\
from pathlib import Path

from litestar import Response
from mastra_core import ApiRoute, Cors, Mastra, Server, tool

MARKS = Path(__file__).with_name("marks.log")

async def echo(text: str):
    yield f"echo: {{text}}"

@tool(id="mark")
def mark(word: str) -> str:
    '''Writes a word down.'''
    with MARKS.open("a") as file:
        file.write(word + "\\n")
    return word

async def script(request):
    return Response("window.secret = 1", media_type="text/javascript")

async def image(request):
    return Response('<svg xmlns="http://www.w3.org/2000/svg"/>', media_type="image/svg+xml")

mastra = Mastra(
    agents={{"echo": echo}},
    tools={{"mark": mark}},
    server=Server(
        cors=Cors(origins=["{origin}", "*"]),
        api_routes=[
            ApiRoute(path="/script.js", handler=script),
            ApiRoute(path="/image.svg", handler=image),
        ],
    ),
)
"""


@pytest.fixture(scope="module")
def site():
    """A web server on loopback that answers under every name; gives its port."""
    with serve(lambda _: (200, {"content-type": "text/html"}, b"<body>hello</body>")) as server:
        yield server.server_port


@pytest.fixture(scope="module")
def dev(tmp_path_factory, site):
    source = APP.format(origin=f"{FRIEND}:{site}")
    root = write_project(tmp_path_factory.mktemp("foreign") / "app", {INDEX: source})
    with run_dev(root) as running:
        yield running.wait_until_ready()


def read_marks(dev):
    """The words that the tool of the app was called with."""
    file = dev.root / INDEX
    marks = file.with_name("marks.log")
    return set(marks.read_text().split()) if marks.exists() else set()


def test_pages_in_a_browser(dev, site):
    home = install_packages("playwright-core@1.65.1")
    attackers = [f"http://attacker.example:{site}", f"http://attacker.localhost:{site}"]
    port = httpx.URL(dev.url).port
    seen = run_script(
        Path(__file__).with_name("foreign_page.mjs"),
        home,
        find_chromium(),
        dev.url,
        ",".join(attackers),
        f"{FRIEND}:{site}",
        f"http://rebound.example:{port}",
    )
    for attacker in attackers:
        assert seen[attacker].pop("link") == 200  # a link to the server works
        assert set(seen[attacker].values()) == {""}, seen[attacker]
    assert seen["rebound"] == 403
    friend = seen["friend"]
    assert json.loads(friend["json"]) == f"friend.example:{site}"
    assert "content type 'text/plain" in friend["text"]
    assert "echo" in friend["agents"]
    assert "pagination" in json.loads(friend["traces"])
    assert (friend["script"], friend["image"]) == ("script", "img")
    assert read_marks(dev) == {f"friend.example:{site}"}


LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://attacker.example"},
        {"origin": "null"},
        {"origin": "http://localhost.attacker.example"},
        {"origin": "http://127.0.0.1.attacker.example:3000"},
        {"origin": "http://localhost@attacker.example"},
        {"origin": "http://attacker.localhost"},
        {"origin": "http://friend.example"},
        {"origin": "*"},
        {"origin": "file://"},
        {"origin": "chrome-extension://localhost"},
        {"host": "attacker.example"},
        {"host": "localhost.attacker.example:3000"},
        {"host": "127.0.0.1.attacker.example"},
        {"host": "192.168.1.5"},
        {"host": "0.0.0.0"},
        {"host": "localhost:3000@attacker.example"},
        {"host": "attacker.example", "origin": "http://attacker.example"},
        {"host": "attacker.example", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"sec-fetch-site": "cross-site", "referer": "http://attacker.example/127.0.0.1"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
@pytest.mark.parametrize("path", ["/api/agents", "/api/observability/traces", "/__mastra/dev"])
def test_foreign_requests_are_refused(dev, path, headers):
    answer = dev.get(path, headers=headers)
    assert answer.status_code == 403, answer.text
    assert "not a name of this server" in answer.text or "may not send requests" in answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:4000"},
        {"origin": "https://127.0.0.1"},
        {"origin": "http://[::1]:5173"},
        {"host": "localhost:3000"},
        {"host": "LOCALHOST."},
        {"host": "[::1]:3000"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none", **LINK},
        {"sec-fetch-site": "cross-site", **LINK},
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "cross-site", "referer": "http://localhost:5173/"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost:5173"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_local_requests_are_accepted(dev, headers):
    assert dev.get("/api/agents", headers=headers).status_code == 200
    assert dev.get("/__mastra/dev", headers=headers).json() == {"problem": ""}


def test_the_reason_is_logged(dev):
    dev.get("/x", headers={"origin": "https://attacker.example"})
    dev.wait_for_line("GET /x 403")
    line = dev.wait_for_line("'https://attacker.example' may not send requests")
    assert "Server(cors=Cors(origins=[...]))" in line.string
    dev.get("/y", headers={"host": "a.example"})
    assert dev.wait_for_line("mastra dev --allow-host a.example")


def test_links_do_not_post(dev):
    headers = {"sec-fetch-site": "cross-site", **LINK}
    answer = httpx.post(f"{dev.url}/api/agents", headers=headers, trust_env=False)
    assert answer.status_code == 403


def test_hosts_are_named_by_option_and_configuration(tmp_path):
    config = '[tool.mastra.dev]\nhosts = ["Tunnel.example"]\n'
    root = write_project(tmp_path / "app", {INDEX: ECHO}, config)
    with run_dev(root, "--allow-host", "shop.example") as dev:
        dev.wait_until_ready()
        for host in ("tunnel.example", "shop.example:443", "localhost"):
            own = {"host": host, "origin": f"https://{host}"}
            assert dev.get("/api/agents", headers=own).status_code == 200
        assert dev.get("/api/agents", headers={"host": "x.shop.example"}).status_code == 403
        dev.save("pyproject.toml", (root / "pyproject.toml").read_text().replace("Tunnel", "new"))
        dev.wait_for_line("reloaded in")
        assert dev.get("/api/agents", headers={"host": "new.example"}).status_code == 200
        assert dev.get("/api/agents", headers={"host": "tunnel.example"}).status_code == 403


def test_all_addresses(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    with run_dev(root, "--host", "0.0.0.0") as dev:
        dev.wait_until_ready()
        name = socket.gethostname().lower()
        for host in ("192.168.1.5:3000", "[fe80::1]:3000", f"{name}:3000", "localhost"):
            own = {"host": host, "origin": f"http://{host}"}
            assert dev.get("/api/agents", headers=own).status_code == 200, host
        for headers in ({"host": "attacker.example"}, {"origin": "http://192.168.1.5:3000"}):
            assert dev.get("/api/agents", headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["https://shop.example", "shop.example:443", "*.example", ""])
def test_invalid_host_names_are_refused(mastra, host):
    for command in ("dev", "studio"):
        mastra(command, "--allow-host", host).failed(2, f"--allow-host contains {host!r}")


def test_the_placeholder_refuses_foreign_requests(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: "raise ValueError('on purpose')\n"})
    with run_dev(root) as dev:
        dev.url = dev.wait_for_line(r"Every response shows this error: (\S+)")[1]
        for path in ("/api/agents", "/__mastra/dev"):
            for headers in ({"host": "a.example"}, {"origin": "https://a.example"}):
                answer = dev.get(path, headers=headers)
                assert (answer.status_code, "mastra dev --allow-host a.example" in answer.text) == (
                    403,
                    True,
                )
        assert "on purpose" in dev.get("/api/agents").text
        assert dev.browse().headers["content-security-policy"] == "frame-ancestors 'self'"
        assert dev.get("/__mastra/dev", headers={"origin": "http://localhost:1"}).status_code == 200


WEBSOCKET = (
    STARLETTE
    + """\

from starlette.routing import WebSocketRoute

async def talk(socket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()

app.routes.append(WebSocketRoute("/talk", talk))
"""
)


def open_websocket(port, **headers):
    """The status line that answers a handshake."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 10)) as connection:
        connection.sendall(
            f"GET /talk HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n".encode()
        )
        return connection.recv(100).partition(b"\r\n")[0].decode()


def test_any_asgi_app_is_protected(tmp_path):
    root = write_project(tmp_path / "app", {"main.py": WEBSOCKET})
    with run_dev(root, "--app", "main:app") as dev:
        dev.wait_until_ready()
        assert dev.get("/", headers={"origin": "http://localhost:5173"}).text == "nobody"
        answer = dev.get("/", headers={"origin": "https://a.example"})
        assert (answer.status_code, "--allow-host a.example" in answer.text) == (403, True)
        port = httpx.URL(dev.url).port
        assert " 101 " in open_websocket(port, Origin="http://localhost:5173")
        assert " 403 " in open_websocket(port, Origin="https://a.example")
