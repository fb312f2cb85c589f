"""Test that no caller hides its traces, forces their export, or hides those of another."""

import httpx
import pytest

from mastra_server import ApiKeys
from tests.server.attacks.health import HealthWatcher
from tests.server.sample_app import create_sample

SERVER = """
import json
from mastra_core import Telemetry
from mastra_server import create_app
from tests.server.conftest import run_server
from tests.server.sample_app import create_sample

def count(flags, ids, amount, **sampling):
    settings = {{"sampling": sampling}} if sampling else {{}}
    telemetry = Telemetry(export={{"type": "console"}}, enabled=False, **settings)
    mastra = create_sample(server={{"traces": True}}, telemetry=telemetry)
    with run_server(create_app(mastra)) as server:
        for index in range(amount):
            headers = {{"traceparent": f"00-{{ids(index)}}-{{'b' * 16}}-{{flags}}"}} if flags else {{}}
            path = "/api/agents/echoAgent/generate"
            server.http.post(path, json={{"messages": "x"}}, headers=headers)
        answer = server.http.get("/api/observability/traces").json()
        return answer["pagination"]["total"]

LOW = lambda index: f"{{index + 1:032x}}"  # below the bound of every ratio
HIGH = lambda index: "f" * 24 + f"{{index:08x}}"  # above it
{script}
"""

LARGE_TRACES = """
from mastra_core import Mastra, Workflow, step

@step
def copy(item: int) -> int:
    return item

workflow = Workflow("copies").foreach(copy)
mastra = Mastra(workflows={"copies": workflow}, server={"traces": True}, logger=False)
"""


def run_script(python, script):
    return python(SERVER.format(script=script)).split()


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        pytest.param("", "all", marks=pytest.mark.full),
        pytest.param("type='parent_based', probability=1", "all", marks=pytest.mark.full),
        ("type='ratio', probability=0.25", "some"),
        pytest.param("type='parent_based', probability=0.25", "some", marks=pytest.mark.full),
        pytest.param("type='always_off'", "none", marks=pytest.mark.full),
    ],
)
def test_callers_do_not_decide_on_sampling(python, sampling, expected):
    """With each of four flags and ids, and without a ``traceparent``, the share is the same."""
    cases = "[('00', LOW), ('01', LOW), ('00', HIGH), ('01', HIGH), ('', LOW)]"
    script = f"for case in {cases}: print(count(*case, 100, {sampling}))"
    for number in map(int, run_script(python, script)):
        assert number in {"all": range(100, 101), "some": range(8, 46), "none": range(1)}[expected]


def test_trusted_callers_decide(python):
    sampling = "type='parent_based', probability=0, trust_callers=True"
    script = f"print(count('01', HIGH, 20, {sampling}), count('00', LOW, 20, {sampling}))"
    assert run_script(python, script) == ["20", "0"]


def test_later_runs_of_one_trace_are_kept(serve):
    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with serve(server={"traces": True}) as server:
        for index in range(300):
            body = {"inputData": {"n": index}}
            path = "/api/workflows/pureWorkflow/start-async"
            assert server.http.post(path, json=body, headers=headers).status_code == 200
        spans = server.http.get(f"/api/observability/traces/{'a' * 32}").json()["spans"]
        runs = [each for each in spans if each["spanType"] == "workflow_run"]
        assert runs[-1]["input"] == {"n": 299}
        assert len(spans) <= 250
        names = {each["spanId"] for each in spans}
        assert all(each["parentSpanId"] in {None, *names} for each in spans)


def test_a_trace_id_of_another_caller(serve):
    auth = ApiKeys({"ann": "key-of-ann", "bob": "key-of-bob"}, restrict_memory=True)
    path = "/api/agents/echoAgent/generate"
    with serve(create_sample(server={"traces": True, "auth": auth})) as server:

        def call(name, words, **headers):
            headers["authorization"] = f"Bearer key-of-{name}"
            answer = server.http.post(path, json={"messages": words}, headers=headers)
            return answer.json()["traceId"]

        def read(name, trace_id):
            headers = {"authorization": f"Bearer key-of-{name}"}
            answer = server.http.get(f"/api/observability/traces/{trace_id}", headers=headers)
            return answer.text if answer.status_code == 200 else ""

        trace_id = call("ann", "words-of-ann")
        assert call("bob", "words-of-bob", traceparent=f"00-{trace_id}-{'b' * 16}-01") == trace_id
        assert "words-of-ann" in read("ann", trace_id)
        assert "words-of-bob" not in read("ann", trace_id)
        assert "words-of-bob" in read("bob", trace_id)
        assert "words-of-ann" not in read("bob", trace_id)


def test_worst_query_over_large_traces(process):
    server, port = process(LARGE_TRACES)
    members = [f"no-such-name-{number}" for number in range(100)]
    condition = {"op": "in", "value": {"path": "name"}, "set": members}
    conditions = [{"op": "or", "args": [condition] * 10}] * 8
    where = {"op": "or", "args": [{"spans": {"some": each}} for each in conditions]}
    times = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    query = {"timeRange": times, "where": where}
    url = f"http://127.0.0.1:{port}/api"
    with httpx.Client(timeout=60, trust_env=False) as client:
        for _ in range(20):
            body = {"inputData": list(range(245))}
            client.post(f"{url}/workflows/copies/start-async", json=body)
        watcher = HealthWatcher(server.pid, port)
        found = client.post(f"{url}/observability/traces/query", json=query)
        watcher.stop()
    assert (found.status_code, found.json()["traces"]) == (200, [])
    assert watcher.longest < 0.3
