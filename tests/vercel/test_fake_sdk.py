"""The fake matches the official contract: Vercel's own SDK reads it, and its schemas accept it."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from tests.node import find_node
from tests.platform_fakes.recorded_request import RecordedRequest
from tests.vercel import fake
from tests.vercel.fake import contract
from tests.vercel.fake.contract.packages import get_sdk_directory
from tests.vercel.fake.contract.schemas import find_violations
from tests.vercel.fake_client import make_output, open_client

pytestmark = pytest.mark.slow


@pytest.fixture
def vercel(tmp_path):
    with open_client(tmp_path) as client:
        yield client


def test_official_client_runs_the_whole_flow(vercel):
    script = Path(contract.__file__).with_name("sdk_flow.mjs")
    command = [
        find_node(),
        str(script),
        str(get_sdk_directory()),
        vercel.fake.url,
        vercel.fake.token,
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == {
        "accounts": ["tester", ["acme", "initech"], "pro"],
        "settings": ["shop", 1],
        "variables": [["A", "B", "C"], "2", 0],
        "deployments": [["READY", "production"], ["READY", "production"], ["READY", None]],
        "listed": [2, 1, True],
        "request": ["promote", "succeeded"],
        "rolling": [50, "COMPLETE"],
        "names": [True, 1, "qa"],
    }
    assert find_violations(vercel.fake.requests) == []


def test_error_responses_match_the_schemas(vercel):
    vercel.create_project()
    for state in ("ERROR", "CANCELED", "BLOCKED"):
        vercel.fake.set_next_outcomes(
            fake.Outcome(state=state, code="BUILD_FAILED", message="no luck")
        )
        vercel.deploy()
    vercel.fake.set_next_outcomes(
        fake.Outcome(alias=("cert_missing", "no certificate")), fake.Outcome(checks="failed")
    )
    vercel.deploy()
    vercel.deploy(target="production")
    vercel.deploy(target="production", autoAssignCustomDomains=False)
    vercel.create_deployment({"missing": b"nobody has this"}, 400)
    vercel.request("GET", "/v7/deployments")
    vercel.request("GET", "/v9/projects/shop")
    assert find_violations(vercel.fake.requests) == []


def test_runtime_log_rows_match_the_schema(vercel):
    vercel.create_project()
    deployment = vercel.deploy()
    vercel.fake.write_log("hello")
    path = f"/v1/projects/shop/deployments/{deployment['id']}/runtime-logs"
    rows = [json.loads(line) for line in vercel.http.get(path).text.splitlines()]
    assert len(rows) == 2
    [recorded] = vercel.fake.find_requests("GET", "/runtime-logs")
    assert find_violations([dataclasses.replace(recorded, response=row) for row in rows]) == []


def make_exchange(method, path, *, status=200, query=None, body=None, response=None):
    return RecordedRequest(
        method=method,
        path=path,
        query=query or {},
        headers=(),
        size=0,
        status=status,
        body=body,
        response=response,
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (make_exchange("GET", "/v2/user", response={"user": {"id": "1"}}), "Required"),
        (make_exchange("GET", "/v9/nowhere", response={}), "undocumented operation"),
        (
            make_exchange("GET", "/v2/teams", query={"colour": ["red"]}, response={}),
            "unknown query parameter colour",
        ),
        (
            make_exchange("POST", "/v11/projects", body={"title": "x"}, response={}),
            "request's name",
        ),
        (
            make_exchange("GET", "/v9/projects/x", status=404, response={}),
            "without code and message",
        ),
        (make_exchange("DELETE", "/v9/projects/x", status=202), "202 is not a documented status"),
        (
            make_exchange("DELETE", "/v2/aliases/x", response={"status": "SUCCESS", "more": 1}),
            "Unrecognized key",
        ),
    ],
)
def test_contract_violations_are_found(wrong, message):
    violations = find_violations([wrong])
    assert any(message in text for text in violations), violations
    assert find_violations([wrong], ignore=["."]) == []


def test_deployment_is_checked_against_the_owner_schema(vercel):
    vercel.create_project()
    vercel.deploy(make_output())
    recorded = vercel.fake.find_requests("GET", "/v13/deployments/")[-1]
    for name in ("ownerId", "readyState", "url", "meta"):
        response = {key: value for key, value in recorded.response.items() if key != name}
        assert find_violations([dataclasses.replace(recorded, response=response)]) != []
