"""The fake keeps to the official contract: Vercel's own client reads it, and its schemas do."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from tests.node import find_node
from tests.vercel import fake
from tests.vercel.fake.api import Request
from tests.vercel.fake.contract import violations
from tests.vercel.fake.npm import sdk
from tests.vercel.fake_client import client_of, output

pytestmark = pytest.mark.slow


@pytest.fixture
def vercel(tmp_path):
    with client_of(tmp_path) as client:
        yield client


def test_the_official_client_lives_through_everything(vercel):
    script = Path(fake.__file__).with_name("sdk_flow.mjs")
    command = [find_node(), str(script), str(sdk()), vercel.fake.url, vercel.fake.token]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "accounts": ["tester", ["acme", "initech"], "pro"],
        "settings": ["shop", 1],
        "variables": [["A", "B", "C"], "2", 0],
        "deployments": [["READY", "production"], ["READY", "production"], ["READY", None]],
        "listed": [2, 1, True],
        "request": ["promote", "succeeded"],
        "rolling": [50, "COMPLETE"],
        "names": [True, 1, "qa"],
    }
    assert violations(vercel.fake.requests) == []


def test_answers_that_end_badly_keep_to_the_schemas(vercel):
    vercel.create_project()
    for state in ("ERROR", "CANCELED", "BLOCKED"):
        vercel.fake.end_next(fake.Outcome(state=state, code="BUILD_FAILED", message="no luck"))
        vercel.deploy()
    vercel.fake.end_next(
        fake.Outcome(alias=("cert_missing", "no certificate")), fake.Outcome(checks="failed")
    )
    vercel.deploy()
    vercel.deploy(target="production")
    vercel.deploy(target="production", autoAssignCustomDomains=False)
    vercel.announce({"missing": b"nobody has this"}, 400)
    vercel.ask("GET", "/v7/deployments")
    vercel.ask("GET", "/v9/projects/shop")
    assert violations(vercel.fake.requests) == []


def test_lines_of_the_runtime_log_keep_to_the_schema(vercel):
    vercel.create_project()
    made = vercel.deploy()
    vercel.fake.say("hello")
    path = f"/v1/projects/shop/deployments/{made['id']}/runtime-logs"
    rows = [json.loads(line) for line in vercel.http.get(path).text.splitlines()]
    assert len(rows) == 2
    [asked] = vercel.fake.asked("GET", "/runtime-logs")
    assert violations([dataclasses.replace(asked, answer=row) for row in rows]) == []


def exchange(method, path, *, status=200, query=None, body=None, answer=None):
    return Request(
        method=method,
        path=path,
        query=query or {},
        headers=(),
        size=0,
        status=status,
        body=body,
        answer=answer,
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (exchange("GET", "/v2/user", answer={"user": {"id": "1"}}), "Required"),
        (exchange("GET", "/v9/nowhere", answer={}), "no such operation"),
        (exchange("GET", "/v2/teams", query={"colour": ["red"]}, answer={}), "query has no colour"),
        (exchange("POST", "/v11/projects", body={"title": "x"}, answer={}), "request's name"),
        (exchange("GET", "/v9/projects/x", status=404, answer={}), "without code and message"),
        (exchange("DELETE", "/v9/projects/x", status=202), "202 is no answer of it"),
        (
            exchange("DELETE", "/v2/aliases/x", answer={"status": "SUCCESS", "more": 1}),
            "Unrecognized key",
        ),
    ],
)
def test_what_breaks_the_contract_is_found(wrong, words):
    found = violations([wrong])
    assert any(words in text for text in found), found
    assert violations([wrong], ignore=["."]) == []


def test_fields_of_a_deployment_are_not_taken_from_the_strangers_view(vercel):
    vercel.create_project()
    vercel.deploy(output())
    seen = vercel.fake.asked("GET", "/v13/deployments/")[-1]
    for name in ("ownerId", "readyState", "url", "meta"):
        answer = {key: value for key, value in seen.answer.items() if key != name}
        assert violations([dataclasses.replace(seen, answer=answer)]) != []
