"""`mastra runs --url`: the runs of a server, which needs a token."""

import asyncio
import copy

import pytest

from mastra_core import DurableEngine, Mastra, Secret, Workflow
from mastra_deployer.cli.main import main
from mastra_server import ApiKeys, create_app
from tests.conftest import run_mastra
from tests.core.workflows.sample_steps import add_one, ask_too, double
from tests.scripted_server import serve
from tests.server.conftest import run_server

OLD = Workflow("order").then(add_one).then(ask_too)
LONGER = OLD.then(double)
KEY = "key-of-the-operator"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of a new build, whose database has two runs that an old build has suspended."""
    url = f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db"

    async def start_runs():
        engine = DurableEngine(url)
        for run_id in ("r0", "r1"):
            run = await engine.create(OLD, run_id)
            await engine.start(run, 1)
            await run.wait()
        await engine.close()

    asyncio.run(start_runs())
    mastra = Mastra(
        workflows={"order": LONGER},
        engine=DurableEngine(url, name="web-1"),
        server={"auth": ApiKeys({"operator": Secret(KEY)}), "api_prefix": "/v9"},
    )
    with run_server(create_app(mastra)) as running_server:
        yield running_server


def test_runs_of_a_server(server, tmp_path):
    (tmp_path / ".env").write_text(f"MASTRA_SERVER_TOKEN={KEY}\n")

    def call(*arguments):
        url = f"{server.url}/v9/"
        return run_mastra("runs", *arguments, "--url", url, cwd=tmp_path)

    listed = call("list", "--workflow", "order").ok().out
    assert "2 suspended" in listed
    assert "r1  order  suspended: ask-too" in listed
    assert "web-1" in call("fingerprints", "order").ok().out
    moved = call("move", "--from", OLD.fingerprint, "--workflow", "order", "--json").ok().json
    assert moved["moved"] == ["r0", "r1"]
    assert "order  running" in call("resume", "r0", "--data", "5").ok().out
    call("cancel", "r1").ok()
    call("cancel", "r1").failed(8, "cannot be canceled")


def test_addresses_and_tokens(server, tmp_path):
    def call(url, **environment):
        return run_mastra("runs", "show", "r0", "--url", url, cwd=tmp_path, **environment)

    call(f"{server.url}/v9").failed(7, "Set MASTRA_SERVER_TOKEN")
    assert KEY not in call("http://example.com", MASTRA_SERVER_TOKEN=KEY).err
    call("http://example.com", MASTRA_SERVER_TOKEN=KEY).failed(2, "without encryption")
    for address in ("example.com", "http://[::1", "http://localhost:abc", "http://localhost:0"):
        call(address).failed(2, "is not the address of a server")


RUN = {
    "runId": "r1",
    "workflowId": "order",
    "status": "suspended",
    "suspendedSteps": ["ask"],
    "createdAt": 1700000000000,
    "attempt": 1,
    "holder": "web-1",
    "fingerprint": "f1",
    "priority": 0,
    "error": {"name": "E", "message": "m"},
    "parentRunId": None,
    "children": [{"runId": "c1", "workflowId": "child", "status": "success"}],
    "steps": {"ask": {"status": "suspended"}},
}
PARKED = {"workflow": "order", "fingerprint": "f1", "count": 2}
FINGERPRINT = {"fingerprint": "f1", "createdAt": 1, "processes": ["web-1"], "unfinished": 3}
RESPONSES = {
    ("list",): {"runs": [RUN], "counts": {"suspended": 1}, "parked": [PARKED]},
    ("show", "r1"): {"run": RUN},
    ("cancel", "r1"): {"run": RUN},
    ("resume", "r1"): {"run": RUN},
    ("retry", "r1"): {"run": RUN},
    ("fingerprints", "order"): {"fingerprints": [FINGERPRINT]},
    ("move", "r1"): {"to": "f2", "moved": ["r1"], "refused": {"r2": "no"}, "next": None},
}
WRONG = (None, 10**30, "x", [[]], {})


def list_places(value, place=()):
    yield place
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    for key in inner if isinstance(inner, dict) else ():
        yield from list_places(inner[key], (*place, key))


def replace(value, place, new):
    if not place:
        return new
    changed = copy.deepcopy(value)
    target = changed
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = new
    return changed


@pytest.fixture
def call_here(capsys, monkeypatch, tmp_path):
    """Run a command in this process; return its exit code and its error output."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["runs", *arguments])
        return ended.value.code or 0, capsys.readouterr().err

    return call


@pytest.mark.parametrize("command", RESPONSES, ids=" ".join)
def test_wrong_responses_of_a_server(call_here, command):
    response = RESPONSES[command]
    with serve() as scripted:
        scripted.answer = lambda _: (200, {}, response)
        assert call_here(*command, "--url", scripted.url) == (0, "")
        for place in list_places(RESPONSES[command]):
            for wrong in WRONG:
                response = replace(RESPONSES[command], place, wrong)
                code, text = call_here(*command, "--url", scripted.url)
                assert "defect" not in text, (place, wrong, text)
                assert code in (0, 8), (place, wrong, text)


def test_a_server_that_never_ends_the_list_of_moved_runs(call_here):
    page = {"to": "f2", "moved": ["r1"], "refused": {}, "next": 1}
    with serve(lambda _: (200, {}, page)) as scripted:
        selection = ("--from", "f1", "--workflow", "order", "--url", scripted.url)
        code, text = call_here("move", *selection)
    assert (code, "never ends" in text) == (8, True), text
