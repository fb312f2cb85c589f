"""The client for a platform's API, against a real HTTP server."""

import base64
import contextlib
import io
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import traceback

import httpx
import pytest

from mastra_core import Secret
from mastra_core.errors import ApiError, AuthError, ConfigError, DeployTimeout
from mastra_core.pipeline import SilentReport
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.kit import connect, upload
from mastra_deployer.kit.clock import now, skip_waits
from mastra_deployer.output.retry_notice import set_retry_report
from tests.scripted_server import serve

TOKEN = Secret("kit-token-1")


@pytest.fixture
def platform():
    with serve() as server, skip_waits():
        yield server


@pytest.fixture
def client(platform):
    with connect(platform.url, TOKEN) as client:
        yield client


def test_requests_are_authorized(client, platform):
    assert client.get("/x").status_code == 200
    assert platform.seen == [("GET", "/x", "Bearer kit-token-1")]


def test_a_line_break_after_the_token_is_removed(platform):
    with connect(platform.url, Secret("kit-token-1\n")) as client:
        client.get("/x")
    assert platform.seen == [("GET", "/x", "Bearer kit-token-1")]


@pytest.mark.parametrize("token", ["kit token", "kit\ntoken", "kit-tökén"])
def test_an_invalid_token_is_rejected_and_not_shown(platform, token):
    with connect(platform.url, Secret(token)) as client, pytest.raises(AuthError) as raised:
        client.get("/x")
    assert token not in str(raised.value)
    assert platform.seen == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 522, 0])
def test_idempotent_requests_are_repeated(client, platform, status):
    platform.answers = [(status, {}, {})]
    assert client.put("/x", content=b"1").status_code == 200
    assert platform.bodies == [b"1", b"1"]


def test_a_request_is_sent_six_times_at_most(client, platform):
    platform.answers = [(500, {}, {"message": "on fire"})] * 9
    with pytest.raises(ApiError, match="on fire"):
        client.get("/x")
    assert len(platform.seen) == 6


@pytest.mark.parametrize("status", [501, 505, 507, 404, 400, 422])
def test_permanent_failures_are_not_repeated(client, platform, status):
    platform.answers = [(status, {}, {})]
    with pytest.raises(ApiError) as raised:
        client.get("/x")
    assert raised.value.status == status
    assert len(platform.seen) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 0])
def test_a_post_that_may_have_worked_is_not_repeated(client, platform, status):
    platform.answers = [(status, {}, {})]
    with pytest.raises(ApiError):
        client.post("/x")
    assert len(platform.seen) == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {}), (503, {"retry-after": "1"}), (403, {"x-ratelimit-remaining": "0"})],
)
def test_a_post_that_was_not_processed_is_repeated(client, platform, status, headers):
    platform.answers = [(status, headers, {})]
    assert client.post("/x", json={"a": 1}).status_code == 200
    assert platform.bodies == [b'{"a":1}'] * 2


def test_a_post_is_repeated_where_the_connection_is_refused():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with connect(f"http://127.0.0.1:{port}") as client, skip_waits():
        start = now()
        with pytest.raises(ApiError, match="the connection was refused"):
            client.post("/x")
        assert now() - start > 3, "there was no wait between attempts"


def test_a_caller_declares_what_is_idempotent(client, platform):
    platform.answers = [(500, {}, {})]
    assert client.post("/x", extensions={"mastra_idempotent": True}).status_code == 200
    platform.answers = [(500, {}, {})]
    with pytest.raises(ApiError):
        client.put("/x", extensions={"mastra_idempotent": False})
    assert len(platform.seen) == 3


def test_a_file_is_sent_again_from_its_position(client, platform, tmp_path):
    (tmp_path / "layer").write_bytes(b"skipped" + b"sent" * 100_000)
    platform.answers = [(500, {}, {})]
    with (tmp_path / "layer").open("rb") as content:
        content.seek(7)
        client.put("/x", content=content, headers={"content-length": "400000"})
    assert platform.bodies == [b"sent" * 100_000] * 2


def test_a_form_is_sent_again(client, platform):
    platform.answers = [(500, {}, {})]
    client.put("/x", files={"code": ("main.py", io.BytesIO(b"print()"))}, data={"a": "b"})
    assert len(platform.bodies) == 2
    assert all(b"print()" in body for body in platform.bodies)


def test_a_body_that_cannot_be_sent_twice_is_sent_once(client, platform):
    platform.answers = [(503, {"retry-after": "1"}, {"message": "busy"})]
    with pytest.raises(ApiError, match="busy"):
        client.put("/x", content=(part for part in (b"a", b"b")))
    assert platform.bodies == [b"ab"]


def test_a_truncated_response_is_requested_again(client, platform):
    platform.answers = [(200, {"content-length": "100", "connection": "close"}, b"half")]
    assert client.get("/x").json() == {}
    assert len(platform.seen) == 2


def test_a_response_can_be_streamed(client, platform):
    platform.answers = [(500, {}, {}), (200, {}, b"x" * 300_000)]
    with client.stream("GET", "/x") as response:
        assert not response.is_stream_consumed
        assert sum(map(len, response.iter_bytes())) == 300_000


def test_a_truncated_stream_is_an_api_error(client, platform):
    platform.answers = [(200, {"content-length": "100", "connection": "close"}, b"half")]
    with client.stream("GET", "/x") as response, pytest.raises(ApiError, match="cannot be reached"):
        response.read()


def test_accepted_statuses_are_returned(client, platform):
    platform.answers = [(404, {}, {"message": "no such app"})]
    response = client.get("/x", extensions={"mastra_accept": (404,)})
    assert response.status_code == 404
    assert response.json() == {"message": "no such app"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_token_raises_auth_error(client, platform, status):
    platform.answers = [(status, {}, {"message": "who are you"})]
    with pytest.raises(AuthError, match="who are you") as raised:
        client.get("/x")
    assert "kit-token-1" not in repr(raised.value.__dict__)


def test_a_token_that_the_platform_repeats_is_masked(platform):
    key = {"X-Api-Key": "second-secret"}
    with connect(platform.url, TOKEN, headers=key) as client:
        platform.answers = [(400, {}, {"message": "kit-token-1 or second-secret is bad"})]
        with pytest.raises(ApiError, match=r"\*\*\*\* or \*\*\*\* is bad") as raised:
            client.get("/x/kit-token-1")
    text = "".join(traceback.format_exception(raised.value))
    assert "kit-token-1" not in text.replace('"/x/kit-token-1"', "")
    assert "second-secret" not in text.replace("key = ", "")


def test_a_password_that_the_platform_repeats_is_masked(platform):
    auth = httpx.BasicAuth("user", "pass-word-1")
    encoded = base64.b64encode(b"user:pass-word-1").decode()
    platform.answers = [(400, {}, f"{encoded} means user:pass-word-1".encode())]
    with connect(platform.url, auth=auth) as client, pytest.raises(ApiError) as raised:
        client.get("/x")
    assert str(raised.value).partition("\n")[0].endswith("**** means ****")


def test_a_key_of_a_custom_auth_is_masked(platform):
    class KeyAuth(httpx.Auth):
        def auth_flow(self, request):
            request.headers["x-api-key"] = "third-secret"
            yield request

    platform.answers = [(400, {}, {"message": "third-secret is bad"})]
    with (
        connect(platform.url, auth=KeyAuth()) as client,
        pytest.raises(ApiError, match=r"\*\*\*\* is"),
    ):
        client.get("/x")


def test_a_short_token_is_masked_as_a_whole_word_only(platform):
    platform.answers = [(400, {}, {"message": "a bad app: a"})]
    with connect(platform.url, Secret("a")) as client, pytest.raises(ApiError) as raised:
        client.get("/x")
    assert "bad app" in str(raised.value)


def test_a_custom_auth_handles_a_401_first(platform):
    class ChallengeAuth(httpx.Auth):
        def auth_flow(self, request):
            response = yield request
            if response.status_code == 401:
                request.headers["authorization"] = f"Scoped {response.headers['x-scope']}"
                yield request

    platform.answers = [(401, {"x-scope": "push"}, {})]
    with connect(platform.url, auth=ChallengeAuth()) as client:
        assert client.get("/x").status_code == 200
    assert [seen[2] for seen in platform.seen] == [None, "Scoped push"]


def test_another_host_gets_neither_token_nor_headers(platform):
    with serve() as other:
        headers = {"X-Api-Key": "k-123456", "X-Plain": "p"}
        with connect(platform.url, TOKEN, headers=headers) as client:
            platform.answers = [(307, {"location": f"{other.url}/blob"}, {})]
            assert client.get("/x").status_code == 307, "redirects are the caller's decision"
            platform.answers = [(307, {"location": f"{other.url}/blob"}, {})]
            client.get("/x", follow_redirects=True)
            client.put(f"{other.url}/direct", content=b"1")
        assert [path for _, path, _ in other.seen] == ["/blob", "/direct"]
        for seen in other.headers:
            assert not {"authorization", "x-api-key", "x-plain"} & {name.lower() for name in seen}
    assert platform.headers[0]["X-Api-Key"] == "k-123456"


INVALID_ADDRESSES = (
    "https://[::1",
    "https://acme.example:x/",
    "https://acme.example:99999/",
    "https://acme..example/",
    "https://xn--/",
    f"https://{'a' * 64}.example/",
)


@pytest.mark.parametrize("address", [*INVALID_ADDRESSES, "https://acme.example/\n"])
def test_an_invalid_address_is_an_api_error(client, platform, address):
    """It may come from a response, such as the address of an upload."""
    with pytest.raises(ApiError, match="has an invalid address"):
        client.put(address, content=b"x")
    assert platform.seen == []


@pytest.mark.parametrize("address", [*INVALID_ADDRESSES, "mailto:acme"])
def test_a_redirect_to_an_invalid_address_is_an_api_error(client, platform, address):
    platform.answers = [(302, {"location": address}, {})] * 5
    with pytest.raises(ApiError):
        client.get("/x", follow_redirects=True)


@pytest.mark.parametrize("address", ["https://acme..example", f"https://{'a' * 64}.example"])
def test_an_address_of_an_api_must_have_a_possible_host(address):
    with pytest.raises(ConfigError, match="is not the address of an API"):
        connect(address, TOKEN)


def test_a_redirect_on_the_same_host_keeps_the_token(client, platform):
    platform.answers = [(307, {"location": "/y"}, {})]
    client.get("/x", follow_redirects=True)
    assert platform.seen[1] == ("GET", "/y", "Bearer kit-token-1")


def test_errors_name_the_platform(platform):
    platform.answers = [(422, {}, {"message": "no"})]
    with connect(platform.url, name="Acme") as client, pytest.raises(ApiError) as raised:
        client.get("/apps?token=in-the-query")
    assert raised.value.message == "Acme answered 422 to GET /apps: no"


def test_a_refused_connection_has_a_hint():
    client = connect("http://127.0.0.1:9", TOKEN)
    with skip_waits(), client, pytest.raises(ApiError, match="was refused") as raised:
        client.get("/x")
    assert raised.value.hint


def test_an_unknown_host_is_named():
    client = connect("https://no-such-host.invalid")
    with skip_waits(), client, pytest.raises(ApiError) as raised:
        client.get("/x")
    assert "'no-such-host.invalid' cannot be resolved" in raised.value.message
    assert "spelling" in raised.value.hint


def test_a_platform_that_does_not_answer_is_a_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent, skip_waits():
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with connect(url, timeout=0.2) as client, pytest.raises(DeployTimeout, match="in time"):
            client.get("/x")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate."""
    if not shutil.which("openssl"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("openssl is not installed")
    home = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=home, check=True, capture_output=True)
    return home


def test_an_untrusted_certificate_is_named_and_not_retried(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    tries = []

    def accept(server):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                tries.append(connection)
                with contextlib.suppress(OSError):
                    context.wrap_socket(connection, server_side=True).close()
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, args=(server,))
        thread.start()
        client = connect(f"https://localhost:{server.getsockname()[1]}")
        with skip_waits(), client, pytest.raises(ApiError, match="is not trusted") as raised:
            client.get("/x")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert "SSL_CERT_FILE" in raised.value.hint
    assert len(tries) == 1


def test_a_service_without_tls_is_named_and_not_retried(platform):
    url = platform.url.replace("http://", "https://")
    client = connect(url)
    with client, pytest.raises(ApiError, match="does not answer with TLS") as raised:
        client.get("/x")
    assert "http://" in raised.value.hint


def test_a_proxy_that_rejects_is_named_without_its_password(monkeypatch):
    def reject(request):
        return 407, {}, {}

    with serve(reject) as proxy, skip_waits():
        host = proxy.url.removeprefix("http://")
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:proxy-password@{host}")
        client = connect("https://api.example.com", TOKEN)
        with client, pytest.raises(ApiError, match="The proxy rejected") as raised:
            client.get("/x")
    assert "proxy-password" not in "".join(traceback.format_exception(raised.value))
    assert "NO_PROXY=api.example.com" in raised.value.hint
    assert len(proxy.seen) == 1


def test_a_proxy_of_an_unsupported_kind_is_named(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:proxy-password@10.0.0.1")
    with pytest.raises(ConfigError, match=r"'gopher://10\.0\.0\.1'"):
        connect("https://api.example.com")


def test_a_malformed_proxy_is_shown_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "user:proxy-password@proxy")
    with (
        pytest.raises(ConfigError, match="The proxy 'proxy'") as raised,
        connect("https://api.example.com", TOKEN),
    ):
        pass
    assert "proxy-password" not in str(raised.value)


def test_a_proxy_that_is_down_is_named_in_place_of_the_platform(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:proxy-password@127.0.0.1:9")
    client = connect("https://api.example.com", TOKEN)
    with skip_waits(), client as opened, pytest.raises(ApiError) as raised:
        opened.get("/x")
    assert raised.value.message.startswith("The proxy http://127.0.0.1:9, which the environment")
    assert "NO_PROXY=api.example.com" in raised.value.hint
    assert "proxy-password" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named(monkeypatch, tmp_path, content):
    file = tmp_path / "certificates.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with (
        pytest.raises(ConfigError, match=r"SSL_CERT_FILE names .*cannot be read") as raised,
        connect("https://api.example.com", TOKEN),
    ):
        pass
    assert raised.value.hint == "Correct SSL_CERT_FILE, or unset it."


def test_requests_to_this_machine_use_no_proxy(client, platform, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with connect(platform.url) as direct:
        assert direct.get("/x").status_code == 200


@pytest.mark.parametrize(
    "url", ["http://api.example.com", "http://10.0.0.1", "http://localhost.example.com"]
)
def test_a_token_is_never_sent_unencrypted(url):
    with pytest.raises(ConfigError, match="without encryption"):
        connect(url, TOKEN)


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "https://", "//user:secret@x", "x:1"])
def test_an_address_needs_a_scheme_and_a_host(url):
    with pytest.raises(ConfigError, match="is not the address of an API") as raised:
        connect(url, TOKEN)
    assert "secret" not in raised.value.message


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.2", "http://[::1]:1"])
def test_loopback_may_use_http(url):
    connect(url, TOKEN).close()


def test_importing_the_kit_does_not_load_httpx():
    script = "import sys, mastra_deployer.kit; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("value", ["key-4711\nrest", "key-4711 ", "kéy-4711"])
def test_a_header_that_cannot_be_sent_is_refused_and_not_shown(platform, value):
    with pytest.raises(ConfigError, match="'X-Api-Key'") as raised:
        connect(platform.url, headers={"X-Api-Key": value})
    assert "4711" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("value", ["key-4711\nrest", "key-4711 "])
def test_an_error_about_a_header_does_not_show_its_value(client, platform, value):
    with pytest.raises(ApiError) as raised:
        client.get("/x", headers={"X-Api-Key": value})
    assert "4711" not in "".join(traceback.format_exception(raised.value))
    assert platform.seen == []


def test_credentials_of_a_request_do_not_follow_a_redirect_to_another_host(client, platform):
    with serve() as other:
        platform.answers = [(302, {"location": f"{other.url}/y"}, {})]
        headers = {"X-Api-Key": "key-4711", "X-Region": "eu"}
        assert client.get("/x", headers=headers, follow_redirects=True).status_code == 200
    (received,) = other.headers
    assert "X-Api-Key" not in received and received["X-Region"] == "eu"


@pytest.mark.parametrize("url", ["https://[::1", "https://[x]", "https://acme.example:99999"])
def test_an_address_that_cannot_be_parsed_is_a_configuration_error(url):
    with pytest.raises(ConfigError, match="is not the address of an API"):
        connect(url)


class Notes(SilentReport):
    """Keeps the texts of all notes."""

    def __init__(self):
        self.texts = []

    def note(self, text, hint=""):
        self.texts.append(text)


@pytest.fixture
def notes():
    report = Notes()
    set_retry_report(report)
    yield report.texts
    set_retry_report(None)


def test_a_retried_connection_is_announced_once_with_its_reason(notes):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with connect(url) as client, skip_waits():
        for _ in range(2):
            with pytest.raises(ApiError):
                client.get("/x")
    assert notes == [
        f"{url} cannot be reached: the connection was refused. The request is repeated."
    ]


def test_a_wait_that_the_platform_asks_for_is_announced(client, platform, notes):
    platform.answers = [(429, {"retry-after": "5"}, {})]
    client.get("/x")
    assert notes == [
        f"{platform.url.removeprefix('http://')} answered 429. The request is repeated."
    ]


def test_the_step_in_progress_continues_after_a_retry(client, platform, capsys):
    platform.answers = [(429, {"retry-after": "5"}, {})]
    with Terminal() as terminal:
        set_retry_report(terminal)
        terminal.step("Waiting until the deployment is ready")
        client.get("/x")
        terminal.advance(300, 600, "s")
        set_retry_report(None)
    lines = capsys.readouterr().err.splitlines()
    assert "note: " in lines[1] and "answered 429" in lines[1]
    assert "Waiting until the deployment is ready: 300" in lines[2]


def test_a_short_interruption_is_not_announced(client, platform, notes):
    platform.answers = [(500, {}, {})]
    client.get("/x")
    assert notes == []


def test_an_upload_shows_its_own_progress_while_it_waits(client, platform, notes):
    platform.answers = [(429, {"retry-after": "5"}, {})]
    upload([b"1"], lambda body: client.put("/x", content=body), report=SilentReport())
    assert notes == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_a_proxy_is_no_success(platform, client, method):
    """A proxy that blocks a change responds with a page, and perhaps with the status 200."""
    page = {"content-type": "text/html; charset=utf-8"}
    platform.answers = [(200, page, b"<!doctype html><title>Blocked</title>")]
    with pytest.raises(ApiError, match=f"responded to {method} /x with a web page") as raised:
        client.request(method, "/x")
    assert "proxy in between" in raised.value.hint
    assert "doctype" not in str(raised.value)
    platform.answers = [(201, page, b""), (204, page, b""), (200, page, b' {"id": 1}')]
    assert client.request(method, "/x").status_code == 201
    assert client.request(method, "/x").status_code == 204
    assert client.request(method, "/x").json() == {"id": 1}


def test_a_page_may_be_downloaded(platform, client):
    platform.answers = [(200, {"content-type": "text/html"}, b"<p>log</p>")]
    assert client.get("/x").text == "<p>log</p>"
