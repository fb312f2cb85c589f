"""What authors of deployers are given, against a real HTTP server."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mastra_core import Secret
from mastra_core.errors import ApiError, AuthError, ConfigError
from mastra_core.line import Silent
from mastra_deployer.kit import Manifest, connect, upload

TOKEN = Secret("kit-token-1")


class Platform(ThreadingHTTPServer):
    """Answers from a list of (status, headers, body), then 200."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.seen = [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((self.command, self.path, self.headers.get("authorization")))
        status, headers, body = self.server.answers.pop(0) if self.server.answers else (200, {}, {})
        if status == 0:  # break the connection
            self.close_connection = True
            return
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = answer  # noqa: N815  # the library's names

    def log_message(self, *_):
        pass


@pytest.fixture
def platform():
    server = Platform()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(platform):
    with connect(platform.url, TOKEN) as made:
        yield made


def test_requests_are_authorised(client, platform):
    assert client.get("/x").status_code == 200
    assert platform.seen == [("GET", "/x", "Bearer kit-token-1")]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 0])
def test_idempotent_calls_are_repeated(client, platform, status):
    platform.answers = [(status, {}, {})]
    assert client.put("/x", content=b"1").status_code == 200
    assert len(platform.seen) == 2


@pytest.mark.parametrize("status", [500, 0])
def test_a_post_is_never_repeated(client, platform, status):
    platform.answers = [(status, {}, {})]
    with pytest.raises(ApiError):
        client.post("/x")
    assert len(platform.seen) == 1


def test_retry_after_is_honoured_and_a_day_is_not_slept(client, platform):
    platform.answers = [(429, {"retry-after": "0"}, {})]
    assert client.get("/x").status_code == 200
    platform.answers = [(429, {"retry-after": "86400"}, {"error": {"message": "quota is used up"}})]
    with pytest.raises(ApiError, match="quota is used up") as raised:
        client.get("/x")
    assert raised.value.status == 429
    assert len(platform.seen) == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "no such app"}, "no such app"),
        ({"error": {"message": "bad name"}}, "bad name"),
        ({"errors": [{"code": 7, "message": "too big"}]}, "too big"),
        (["odd"], "odd"),
    ],
)
def test_errors_carry_the_platforms_own_words(client, platform, body, words):
    platform.answers = [(422, {}, body)]
    with pytest.raises(ApiError, match=words) as raised:
        client.get("/x")
    assert raised.value.status == 422
    assert "kit-token-1" not in str(raised.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token(client, platform, status):
    platform.answers = [(status, {}, {"message": "who are you"})]
    with pytest.raises(AuthError, match="who are you") as raised:
        client.get("/x")
    assert "kit-token-1" not in repr(raised.value.__dict__)


def test_an_address_nobody_listens_at():
    nowhere = connect("http://127.0.0.1:9", TOKEN)
    with nowhere as client, pytest.raises(ApiError, match="cannot be reached"):
        client.post("/x")


@pytest.mark.parametrize(
    "url", ["http://api.example.com", "http://10.0.0.1", "http://localhost.example.com", "ftp://x"]
)
def test_a_token_never_goes_in_the_clear(url):
    with pytest.raises(ConfigError, match="in the clear"):
        connect(url, TOKEN)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.2", "http://[::1]:1"])
def test_this_machine_may_be_plain(url):
    connect(url, TOKEN).close()


def test_a_manifest_lists_every_file_of_a_content(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("one", "b/two"):
        (tmp_path / name).write_text("same")
    (tmp_path / "three").write_text("other")
    manifest = Manifest.of(tmp_path, "sha1")
    assert sorted(manifest.paths) == ["b/two", "one", "three"]
    assert len(manifest.files) == 2
    digest = manifest.paths["one"]
    assert [path.name for path in manifest.files[digest]] == ["two", "one"]
    assert manifest.read(digest) == b"same"
    assert manifest.size() == 9
    assert manifest.size([digest]) == 4


def test_upload_keeps_order_and_reports(tmp_path):
    told = []

    class Report(Silent):
        def advance(self, done, total, unit="B"):
            told.append((done, total))

    assert upload(range(50), lambda n: n * 2, report=Report()) == [n * 2 for n in range(50)]
    assert told[0] == (0, 50)
    assert told[-1] == (50, 50)


def test_upload_stops_at_the_first_failure():
    sent = []

    def send(number):
        sent.append(number)
        if number == 3:
            raise ApiError("no")

    with pytest.raises(ApiError, match="no"):
        upload(range(10_000), send, report=Silent(), concurrency=2)
    assert len(sent) < 10_000
