"""The fake: requests to what was deployed."""

import http.server
import json
import threading

import httpx
import pytest

from tests.vercel.fake_client import CONFIG, client_of, output


@pytest.fixture
def vercel(tmp_path):
    with client_of(tmp_path) as client:
        client.create_project()
        yield client


class App(http.server.BaseHTTPRequestHandler):
    """Sends what it was asked, in two pieces, the second when the first has been read."""

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
def running():
    """A runner that notes what it is given."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    started = []

    def run(directory, env):
        started.append((directory, env))
        return server.server_address[1]

    run.started = started
    yield run
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(host, path="/", **headers):
    return httpx.get(f"http://{host}{path}", headers=headers, trust_env=False)


def test_previews_are_protected_and_production_is_not(vercel):
    production, preview = vercel.deploy(), vercel.deploy()
    assert fetch(production["alias"][0]).json()["deployment"] == production["id"]
    assert fetch(production["url"]).status_code == 401
    assert fetch(preview["url"]).status_code == 401


def test_a_secret_lets_automation_pass(vercel):
    preview = [vercel.deploy(), vercel.deploy()][1]
    told = vercel.ask("PATCH", "/v1/projects/shop/protection-bypass", json={"generate": {}})
    [secret] = told["protectionBypass"]
    assert len(secret) == 32
    answer = fetch(preview["url"], "/x?y=1", **{"x-vercel-protection-bypass": secret})
    assert answer.json() == {"deployment": preview["id"], "path": "/x"}
    revoke = {"revoke": {"secret": secret, "regenerate": False}}
    vercel.ask("PATCH", "/v1/projects/shop/protection-bypass", json=revoke)
    assert fetch(preview["url"], **{"x-vercel-protection-bypass": secret}).status_code == 401


def test_what_is_not_ready_or_deleted_is_not_there(vercel):
    vercel.fake.hang()
    made = vercel.deploy()
    assert fetch(made["url"]).headers["x-vercel-error"] == "DEPLOYMENT_NOT_FOUND"


def test_static_files_come_before_functions(vercel):
    vercel.ask("PATCH", "/v9/projects/shop", json={"ssoProtection": None})
    made = vercel.deploy({**output(), ".vercel/output/static/docs/index.html": b"<p>hi"})
    page = fetch(made["url"], "/docs/")
    assert (page.text, page.headers["content-type"]) == ("<p>hi", "text/html")
    assert fetch(made["url"], "/other").json()["path"] == "/other"


def test_routes_may_change_the_path_the_app_sees(vercel):
    set_path = {"type": "request.path", "op": "set", "args": "/$1"}
    named = {"src": "/api/(.*)", "dest": "/index", "transforms": [set_path]}
    config = {**CONFIG, "routes": [named, {"handle": "filesystem"}]}
    vercel.ask("PATCH", "/v9/projects/shop", json={"ssoProtection": None})
    made = vercel.deploy({**output(), ".vercel/output/config.json": json.dumps(config).encode()})
    assert fetch(made["url"], "/api/x").json()["path"] == "/x"
    assert fetch(made["url"], "/elsewhere").status_code == 404


def test_functions_really_run_and_stream_where_there_is_a_runner(vercel, running):
    vercel.fake.world.runner = running
    App.read.clear()
    made = vercel.deploy(env={"OWN": "1"})
    with httpx.stream("GET", f"http://{made['alias'][0]}/a?b=c", trust_env=False) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"/a?b=c"
        App.read.set()
        headers = json.loads(b"".join(pieces))
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-vercel-internal-invocation-id"]
    [(directory, env)] = running.started
    assert (directory / "app.py").read_bytes() == b"x = 1\n"
    assert env == {"OWN": "1"}
    assert vercel.fake.live_deployment("production").logs[-1]["requestPath"] == "/a?b=c"


def test_a_body_that_is_too_large_is_refused(vercel):
    made = vercel.deploy()
    answer = httpx.post(f"http://{made['alias'][0]}/", content=b"x" * 4_500_001, trust_env=False)
    assert answer.headers["x-vercel-error"] == "FUNCTION_PAYLOAD_TOO_LARGE"
    assert answer.status_code == 413


def test_productions_host_follows_the_shares_of_a_rolling_release(vercel):
    first = vercel.deploy()
    stages = [{"targetPercentage": 25}, {"targetPercentage": 100}]
    told = {"enabled": True, "advancementType": "manual-approval", "stages": stages}
    vercel.ask("PATCH", "/v1/projects/shop/rolling-release/config", json=told)
    canary = vercel.deploy(target="production")["id"]
    with httpx.Client(trust_env=False) as client:
        seen = [client.get(f"http://{first['alias'][0]}/").json() for _ in range(100)]
    assert [item["deployment"] for item in seen].count(canary) == 25
