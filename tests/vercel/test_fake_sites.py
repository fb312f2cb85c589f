"""The fake: requests to deployments."""

import http.server
import json
import threading

import httpx
import pytest

from tests.vercel.fake_client import CONFIG, make_output, open_client


@pytest.fixture
def vercel(tmp_path):
    with open_client(tmp_path) as client:
        client.create_project()
        yield client


class App(http.server.BaseHTTPRequestHandler):
    """Sends the path and the headers in two chunks; the second waits for `read`."""

    protocol_version = "HTTP/1.1"
    read = threading.Event()

    def do_GET(self):
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in (self.path.encode(), json.dumps(dict(self.headers)).encode()):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            assert self.read.wait(10)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


@pytest.fixture
def runner():
    """A runner that records its calls."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    calls = []

    def run(directory, env):
        calls.append((directory, env))
        return server.server_address[1]

    run.started = calls
    yield run
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(host, path="/", **headers):
    return httpx.get(f"http://{host}{path}", headers=headers, trust_env=False)


def test_previews_are_protected_and_production_is_open(vercel):
    production, preview = vercel.deploy(), vercel.deploy()
    assert fetch(production["alias"][0]).json()["deployment"] == production["id"]
    assert fetch(production["url"]).status_code == 401
    assert fetch(preview["url"]).status_code == 401


def test_bypass_secret_grants_access(vercel):
    preview = [vercel.deploy(), vercel.deploy()][1]
    body = vercel.request("PATCH", "/v1/projects/shop/protection-bypass", json={"generate": {}})
    [secret] = body["protectionBypass"]
    assert len(secret) == 32
    response = fetch(preview["url"], "/x?y=1", **{"x-vercel-protection-bypass": secret})
    assert response.json() == {"deployment": preview["id"], "path": "/x"}
    revoke = {"revoke": {"secret": secret, "regenerate": False}}
    vercel.request("PATCH", "/v1/projects/shop/protection-bypass", json=revoke)
    assert fetch(preview["url"], **{"x-vercel-protection-bypass": secret}).status_code == 401


def test_unready_deployment_is_not_found(vercel):
    vercel.fake.hang_deployments()
    deployment = vercel.deploy()
    assert fetch(deployment["url"]).headers["x-vercel-error"] == "DEPLOYMENT_NOT_FOUND"


def test_static_files_take_precedence_over_functions(vercel):
    vercel.request("PATCH", "/v9/projects/shop", json={"ssoProtection": None})
    deployment = vercel.deploy({**make_output(), ".vercel/output/static/docs/index.html": b"<p>hi"})
    page = fetch(deployment["url"], "/docs/")
    assert (page.text, page.headers["content-type"]) == ("<p>hi", "text/html")
    assert fetch(deployment["url"], "/other").json()["path"] == "/other"


def test_routes_can_rewrite_the_request_path(vercel):
    set_path = {"type": "request.path", "op": "set", "args": "/$1"}
    route = {"src": "/api/(.*)", "dest": "/index", "transforms": [set_path]}
    config = {**CONFIG, "routes": [route, {"handle": "filesystem"}]}
    vercel.request("PATCH", "/v9/projects/shop", json={"ssoProtection": None})
    deployment = vercel.deploy(
        {**make_output(), ".vercel/output/config.json": json.dumps(config).encode()}
    )
    assert fetch(deployment["url"], "/api/x").json()["path"] == "/x"
    assert fetch(deployment["url"], "/elsewhere").status_code == 404


def test_functions_run_and_stream_with_a_runner(vercel, runner):
    vercel.fake.platform.runner = runner
    App.read.clear()
    deployment = vercel.deploy(env={"OWN": "1"})
    with httpx.stream("GET", f"http://{deployment['alias'][0]}/a?b=c", trust_env=False) as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"/a?b=c"
        App.read.set()
        headers = json.loads(b"".join(pieces))
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-vercel-internal-invocation-id"]
    [(directory, env)] = runner.started
    assert (directory / "app.py").read_bytes() == b"x = 1\n"
    assert env == {"OWN": "1"}
    assert vercel.fake.find_live_deployment("production").logs[-1]["requestPath"] == "/a?b=c"


def test_too_large_body_is_rejected(vercel):
    deployment = vercel.deploy()
    response = httpx.post(
        f"http://{deployment['alias'][0]}/", content=b"x" * 4_500_001, trust_env=False
    )
    assert response.headers["x-vercel-error"] == "FUNCTION_PAYLOAD_TOO_LARGE"
    assert response.status_code == 413


def test_production_host_follows_rolling_release_shares(vercel):
    first = vercel.deploy()
    stages = [{"targetPercentage": 25}, {"targetPercentage": 100}]
    body = {"enabled": True, "advancementType": "manual-approval", "stages": stages}
    vercel.request("PATCH", "/v1/projects/shop/rolling-release/config", json=body)
    canary = vercel.deploy(target="production")["id"]
    with httpx.Client(trust_env=False) as client:
        responses = [client.get(f"http://{first['alias'][0]}/").json() for _ in range(100)]
    assert [item["deployment"] for item in responses].count(canary) == 25
