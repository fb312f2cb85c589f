"""The kit's client against servers that lie, redirect, drip or never end."""

import ast
import gzip
import re
import time

import httpx
import pytest

from mastra_core import Secret
from mastra_core.errors import ApiError, DeployTimeout, MastraError
from mastra_deployer.kit import connect, convert_response_errors, iter_lines, iter_pages
from mastra_deployer.kit.clock import skip_waits
from mastra_deployer.kit.http.destinations import check_destination
from tests.deployer.attacks import hostile_server
from tests.laws.sources import PACKAGES, sources, tree
from tests.scripted_server import serve

TOKEN = Secret("kit-token-1")


@pytest.fixture
def platform():
    with serve() as server, skip_waits():
        yield server


@pytest.fixture
def other():
    with serve() as server:
        yield server


@pytest.fixture
def client(platform):
    with connect(platform.url, TOKEN, name="Acme", max_size=100_000) as client:
        yield client


def test_an_honest_answer_within_the_limits_arrives(client, platform):
    platform.answers = [(200, {}, b"x" * 100_000)]
    assert len(client.get("/x").content) == 100_000
    compressed = gzip.compress(b'{"a": 1}')
    platform.answers = [(200, {"content-encoding": "gzip"}, compressed)]
    assert client.get("/x").json() == {"a": 1}
    assert platform.headers[0]["accept-encoding"] == "identity"


@pytest.mark.parametrize("answer", hostile_server.ENDLESS)
def test_an_endless_answer_ends_at_the_size_limit(client, platform, answer):
    platform.answer = answer
    with pytest.raises(ApiError, match="with more than 100,000 bytes"):
        client.get("/x")
    assert len(platform.seen) == 1, "it is not asked again"


@pytest.mark.parametrize("answer", hostile_server.DRIPPING)
def test_a_dripping_answer_ends_at_the_time_limit(platform, answer):
    platform.answer = answer
    start = time.monotonic()
    with (
        connect(platform.url, TOKEN, max_seconds=0.25) as client,
        pytest.raises(DeployTimeout, match=r"did not complete its response to GET /x in 0\.25 s"),
    ):
        client.get("/x")
    assert time.monotonic() - start < 20  # the server would go on without end
    assert len(platform.seen) == 1, "it is not asked again"


def test_an_endless_error_shows_the_beginning_of_its_message(client, platform):
    platform.answer = hostile_server.endless_error
    with pytest.raises(ApiError, match="answered 418") as raised:
        client.get("/x")
    assert len(raised.value.message) < 500


def test_a_stream_has_limits_of_its_own(client, platform):
    platform.answer = hostile_server.endless_body
    limit = {"mastra_max_size": 1_000_000}
    with (
        client.stream("GET", "/x", extensions=limit) as response,
        pytest.raises(ApiError, match="more than 1,000,000 bytes"),
    ):
        response.read()
    platform.answer = hostile_server.dripping_body
    limit = {"mastra_max_seconds": 0.2}
    with (
        client.stream("GET", "/x", extensions=limit) as response,
        pytest.raises(DeployTimeout, match=r"in 0\.2 s"),
    ):
        response.read()


def test_a_stream_longer_than_the_limits_of_other_answers_is_read(client, platform):
    platform.answers = [(200, {}, b"line\n" * 100_000)]
    with client.stream("GET", "/x") as response:
        assert sum(1 for line in iter_lines(response) if line == "line") == 100_000


def test_a_line_without_an_end_is_refused(client, platform):
    platform.answer = hostile_server.endless_body
    with (
        client.stream("GET", "/x") as response,
        pytest.raises(ApiError, match="a line of more than 70,000 bytes"),
    ):
        list(iter_lines(response, 70_000))


def test_a_compressed_stream_is_refused(client, platform):
    platform.answer = hostile_server.gzip_bomb
    with pytest.raises(ApiError, match="compressed"), client.stream("GET", "/x"):
        pass


@pytest.mark.parametrize("answer", [hostile_server.nested_gzip_bomb, hostile_server.damaged_gzip])
def test_an_encoding_that_cannot_be_read_is_an_api_error(client, platform, answer):
    platform.answer = answer
    with pytest.raises(ApiError, match="cannot be decoded"):
        client.get("/x")


@pytest.mark.parametrize("answer", hostile_server.UNREADABLE)
def test_an_answer_that_is_not_json_is_an_api_error(client, platform, answer):
    platform.answer = answer
    with pytest.raises(ApiError, match="a text that is not JSON") as raised:
        client.get("/x").json()
    assert raised.value.hint


@pytest.mark.parametrize("content", [[], None, 7, {"id": None}, {"id": {}}, {"other": 1}])
def test_an_answer_with_other_content_is_an_api_error(client, platform, content):
    platform.answers = [(200, {}, content)]
    with (
        pytest.raises(ApiError, match="A response from Acme has unexpected content"),
        convert_response_errors("Acme"),
    ):
        int(client.get("/x").json()["id"])


def test_honest_content_passes(client, platform):
    platform.answers = [(200, {}, {"id": "7"})]
    with convert_response_errors("Acme"):
        assert int(client.get("/x").json()["id"]) == 7


def test_a_redirect_loop_ends(client, platform):
    platform.answer = hostile_server.redirect_loop
    with pytest.raises(ApiError, match="redirects more than 5 times"):
        client.get("/x", follow_redirects=True)


@pytest.mark.parametrize(
    "answer", [hostile_server.redirect_to_metadata, hostile_server.redirect_to_file]
)
def test_a_redirect_off_the_web_is_refused(client, platform, answer):
    platform.answer = answer
    with pytest.raises(ApiError):
        client.get("/x", follow_redirects=True)
    assert len(platform.seen) == 1


def test_a_challenge_of_a_redirect_target_is_not_answered(platform, other):
    class PasswordAuth(httpx.Auth):
        def auth_flow(self, request):
            response = yield request
            if response.status_code == 401:
                request.headers["authorization"] = "Basic stolen"
                yield request

    other.answers = [(401, {"www-authenticate": 'Basic realm="x"'}, {"message": "who"})]
    platform.answers = [(307, {"location": f"{other.url}/blob"}, {})]
    with (
        connect(platform.url, auth=PasswordAuth()) as client,
        pytest.raises(ApiError, match="answered 401 to GET /blob"),
    ):
        client.get("/x", follow_redirects=True)
    assert [seen[2] for seen in other.seen] == [None]
    # The platform's own challenge is answered.
    platform.answers = [(401, {}, {}), (200, {}, {})]
    with connect(platform.url, auth=PasswordAuth()) as client:
        assert client.get("/x").status_code == 200
    assert platform.seen[-1][2] == "Basic stolen"


def test_a_redirect_does_not_carry_content_to_another_host(client, platform, other):
    platform.answers = [(307, {"location": f"{other.url}/env"}, {})]
    with pytest.raises(ApiError, match="redirects PUT /env to another host"):
        client.put("/env", json={"KEY": "value-1"}, follow_redirects=True)
    assert other.seen == []
    platform.answers = [(307, {"location": "/moved"}, {})]
    client.put("/env", json={"KEY": "value-1"}, follow_redirects=True)
    assert platform.seen[-1][1] == "/moved"


def test_no_cookies_are_kept(client, platform):
    platform.answers = [(200, {"set-cookie": "session=1; Path=/"}, {})]
    client.get("/x")
    client.get("/y")
    assert "cookie" not in {name.lower() for name in platform.headers[1]}


@pytest.mark.parametrize(
    "address",
    [
        "http://registry.example/x",
        "http://cdn.example/x",
        "http://127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://10.0.0.5/x",
        "https://169.254.169.254/latest",
        "https://[::1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://[fd00::1]/x",
        "ftp://cdn.example/x",
    ],
)
def test_a_platform_on_the_internet_cannot_send_a_client_elsewhere(address):
    with pytest.raises(ApiError, match="contains the address"):
        check_destination(httpx.URL("https://registry.example"), httpx.URL(address))


@pytest.mark.parametrize(
    ("home", "address"),
    [
        ("https://registry.example", "https://cdn.example/x"),
        ("https://registry.example", "https://registry.example:8443/x"),
        ("https://registry.example", "https://8.8.8.8/x"),
        ("https://10.0.0.4", "https://10.0.0.5/x"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token"),
        ("http://localhost:5000", "https://auth.example/token"),
    ],
)
def test_a_platform_may_refer_to_addresses_like_its_own(home, address):
    check_destination(httpx.URL(home), httpx.URL(address))


def test_pages_end():
    pages = {"1": (["a"], "2"), "2": (["b"], None)}
    assert list(iter_pages(pages.__getitem__, "1")) == [["a"], ["b"]]
    with pytest.raises(ApiError, match="the page '1' twice"):
        list(iter_pages(lambda page: ([], "1"), "1"))
    with pytest.raises(ApiError, match="more than 10 pages") as raised:
        list(iter_pages(lambda page: ([], page + 1), 1, hint="Pass a later --since.", max_pages=10))
    assert raised.value.hint == "Pass a later --since."
    with pytest.raises(DeployTimeout, match="in 0 s"):
        list(iter_pages(lambda page: ([], page + 1), 1, max_seconds=0))


def test_errors_of_limits_have_a_hint(client, platform):
    platform.answer = hostile_server.endless_body
    with pytest.raises(MastraError) as raised:
        client.get("/x")
    assert raised.value.hint


# Who opens connections: the kit, and code that talks to processes on this machine only.
OWN_CLIENTS = {
    "http/websocket.py": "checks the address as the client of connect does",
    "http/client.py": "the client of connect",
    "http/origin_transport.py": "its connections",
    "pipeline/smoke_test.py": "requests the deployed app over the kit's connections, with limits",
    "proxy/recording_proxy.py": "the proxy of the conformance suite",
    "runtimes/preview_proxy.py": "the local proxy of a preview",
    "testing/preview_process.py": "the conformance suite's requests to a preview",
    "acceptance/app_process.py": "the acceptance suite's requests to the app under test",
    "acceptance/app_fixtures.py": "the acceptance suite's requests to the app under test",
    "acceptance/requests.py": "the acceptance suite's requests to the app under test",
}
CONNECTING = {"Client", "HTTPTransport", "HTTPConnection", "HTTPSConnection", "urlopen", "request"}


def test_no_other_module_opens_connections():
    """A client without limits would not be found by the tests above."""
    places = {
        "/".join(path.parts[-2:])
        for package in PACKAGES
        if package.startswith("deployer")
        for path in sources(package)
        if re.search("httpx|http.client|urllib|websockets", path.read_text(encoding="utf-8"))
        for node in ast.walk(tree(path))
        if _opens_connection(node)
    }
    assert places - set(OWN_CLIENTS) == set()
    assert {"http/origin_transport.py", "http/websocket.py"} <= places


def _opens_connection(node):
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith("websockets.") and "client" in node.module
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    module, _, function = name.rpartition(".")
    return module in ("httpx", "http.client", "urllib.request", "request") and (
        function in CONNECTING or (module == "httpx" and function in ("get", "post", "stream"))
    )


PATHS = re.compile("/|path")  # how the f-strings with paths of requests begin


def list_unquoted_segments(path):
    """Yield the parts of paths of requests that a response could make select another path."""
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.JoinedStr):
            continue
        texts = [ast.unparse(each.value) for each in node.values if hasattr(each, "conversion")]
        before = [each.value if isinstance(each, ast.Constant) else "" for each in node.values]
        start = before[0] or texts[0]
        if not PATHS.match(start):
            continue
        for number, each in enumerate(node.values):
            if isinstance(each, ast.FormattedValue) and number and before[number - 1][-1:] == "/":
                text = ast.unparse(each.value)
                if not text.startswith(("quote_segment(", "quote(")):
                    yield f"{path.name}:{node.lineno}: {text}"


@pytest.mark.parametrize("target", ["vercel", "netlify", "cloudflare"])
def test_ids_of_responses_select_no_other_path(target):
    """A platform's id such as ``../x`` must not let a command delete something else."""
    found = [
        each for path in sources(f"deployer-{target}") for each in list_unquoted_segments(path)
    ]
    assert not found
