"""The fake: deployments from files, their progress, and how they are found."""

import hashlib
import time

import pytest

from tests.vercel.fake import Outcome
from tests.vercel.fake_client import make_archive, make_output, open_client


@pytest.fixture
def vercel(tmp_path):
    with open_client(tmp_path) as client:
        client.create_project()
        yield client


def test_missing_files_are_listed_and_no_deployment_is_created(vercel):
    files = make_output(twin=b"x = 1\n")
    error = vercel.create_deployment(files, 400)["error"]
    assert error["code"] == "missing_files"
    assert len(error["missing"]) == 3  # two have one content
    for content in files.values():
        vercel.upload(content)
    assert vercel.create_deployment(files)["readyState"] == "QUEUED"


def test_deployment_advances_with_each_poll(vercel):
    for content in make_output().values():
        vercel.upload(content)
    deployment_id = vercel.create_deployment(make_output())["id"]
    polls = [vercel.request("GET", f"/v13/deployments/{deployment_id}") for _ in range(4)]
    assert [item["readyState"] for item in polls] == ["INITIALIZING", "BUILDING", "READY", "READY"]
    assert [item["aliasAssigned"] for item in polls] == [False, False, False, True]


def test_deployment_advances_with_time(vercel):
    vercel.fake.set_build_speed(polls=1_000_000, seconds=0.001)
    deployment = vercel.deploy()
    end = time.monotonic() + 20
    while deployment["readyState"] != "READY":
        assert time.monotonic() < end, deployment
        deployment = vercel.poll_deployment(deployment["id"])


def test_custom_environment_has_its_own_deployments_and_variables(vercel):
    path = "/v9/projects/shop/custom-environments"
    environment = vercel.request("POST", path, 201, json={"slug": "qa"})
    item = {"key": "A", "value": "1", "type": "plain", "customEnvironmentIds": [environment["id"]]}
    vercel.request("POST", "/v10/projects/shop/env", 201, json=item)
    deployment = vercel.deploy(customEnvironmentSlugOrId="qa")
    assert (deployment["customEnvironment"]["slug"], deployment["env"]) == ("qa", ["A"])
    items = vercel.request("GET", "/v6/deployments?target=qa")["deployments"]
    assert [entry["uid"] for entry in items] == [deployment["id"]]
    vercel.create_deployment(make_output(), 404, customEnvironmentSlugOrId="nowhere")


def test_first_deployment_is_production_and_the_next_a_preview(vercel):
    first, second = vercel.deploy(), vercel.deploy()
    assert (first["target"], second["target"]) == ("production", None)
    live = vercel.fake.find_live_deployment
    assert (live("production").id, live("preview").id) == (first["id"], second["id"])


def test_archive_parts_are_joined(vercel):
    content = make_archive(make_output())
    parts = {f".vercel/source.tgz.part{n + 1}": content[n * 100 :][:100] for n in range(11)}
    parts = {name: part for name, part in parts.items() if part}
    assert len(parts) > 1
    assert vercel.deploy(parts)["readyState"] == "READY"
    assert dict(vercel.fake.get_live("production").files) == make_output()


def test_truncated_archive_fails_the_build(vercel):
    deployment = vercel.deploy({".vercel/source.tgz.part1": make_archive(make_output())[:-40]})
    assert (deployment["readyState"], deployment["errorCode"]) == ("ERROR", "BUILD_FAILED")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (b'{"runtime": "python3.9", "handler": "a.b"}', "not supported"),
        (b'{"runtime": "python3.12"}', "has no `handler`"),
        (b'{"runtime": "python3.12", "handler": "a.b", "maxDuration": 900}', "between 1 and 800"),
        (b"nonsense", "is not JSON"),
    ],
)
def test_invalid_output_fails_the_build(vercel, config, message):
    files = {**make_output(), ".vercel/output/functions/index.func/.vc-config.json": config}
    deployment = vercel.deploy(files)
    assert deployment["readyState"] == "ERROR"
    assert message in deployment["errorMessage"]


def test_environment_is_bound_at_creation(vercel):
    def put(value):
        item = {"key": "A", "value": value, "type": "encrypted", "target": ["production"]}
        vercel.request("POST", "/v10/projects/shop/env?upsert=true", 201, json=item)

    put("before")
    vercel.deploy(env={"OWN": "1"})
    put("after")
    assert dict(vercel.fake.get_live("production").env) == {"A": "before", "OWN": "1"}


def test_identical_deployment_is_reused_unless_forced(vercel):
    files = make_output()
    first = vercel.deploy(files)
    items = [
        {"file": name, "sha": hashlib.sha1(content).hexdigest(), "size": len(content)}
        for name, content in files.items()
    ]
    body = {"name": "shop", "project": "shop", "files": items}
    second = vercel.request("POST", "/v13/deployments", json=body)
    assert second["id"] == first["id"]
    assert vercel.request("POST", "/v13/deployments?forceNew=1", json=body)["id"] != first["id"]


@pytest.mark.parametrize("state", ["ERROR", "CANCELED", "BLOCKED"])
def test_deployments_fail_on_demand(vercel, state):
    vercel.fake.set_next_outcomes(Outcome(state=state, code="UNEXPECTED_ERROR", message="no luck"))
    deployment = vercel.deploy()
    assert (deployment["readyState"], deployment["errorMessage"]) == (state, "no luck")
    assert vercel.fake.get_live("production") is None
    assert vercel.deploy()["readyState"] == "READY"


def test_aliases_and_checks_fail_on_demand(vercel):
    vercel.fake.set_next_outcomes(
        Outcome(alias=("cert_missing", "no certificate")), Outcome(checks="failed")
    )
    alias, checks = vercel.deploy(), vercel.deploy(target="production")
    assert alias["aliasError"] == {"code": "cert_missing", "message": "no certificate"}
    assert checks["checksConclusion"] == "failed"
    assert (alias["aliasAssigned"], checks["aliasAssigned"]) == (False, False)


def test_hung_deployment_builds_until_cancelled(vercel):
    vercel.fake.hang_deployments()
    deployment = vercel.deploy()
    assert deployment["readyState"] == "BUILDING"
    response = vercel.request("PATCH", f"/v12/deployments/{deployment['id']}/cancel")
    assert response["readyState"] == "CANCELED"


def test_staged_deployment_waits_for_promotion(vercel):
    vercel.deploy()
    staged = vercel.deploy(target="production", autoAssignCustomDomains=False)
    assert (staged["readySubstate"], staged["aliasAssigned"]) == ("STAGED", False)
    assert vercel.fake.find_live_deployment("production").id != staged["id"]


def test_deployment_is_found_by_id_host_and_alias_and_redeployed(vercel):
    deployment = vercel.deploy()
    vercel.request(
        "POST", f"/v2/deployments/{deployment['id']}/aliases", json={"alias": "shop.example"}
    )
    for name in (deployment["id"], deployment["url"], deployment["alias"][0], "shop.example"):
        assert vercel.request("GET", f"/v13/deployments/{name}")["id"] == deployment["id"]
    body = {"name": "shop", "deploymentId": deployment["id"], "target": "production"}
    second = vercel.poll_deployment(
        vercel.request("POST", "/v13/deployments?forceNew=1", json=body)["id"]
    )
    assert second["id"] != deployment["id"]
    assert dict(vercel.fake.get_live("production").files) == make_output()


def test_list_is_filtered_and_paginated(vercel):
    deployment = [vercel.deploy(meta={"n": str(n)})["id"] for n in range(5)]

    def ids(**query):
        response = vercel.request("GET", "/v6/deployments", params={"projectId": "shop", **query})
        return [item["uid"] for item in response["deployments"]], response["pagination"]["next"]

    assert ids()[0] == deployment[::-1]
    assert ids(**{"meta-n": "3"})[0] == [deployment[3]]
    assert ids(target="production")[0] == deployment[:1]
    assert ids(state="ERROR,READY")[0] == deployment[::-1]
    page, until = ids(limit=2)
    assert (page, ids(limit=2, until=until)[0]) == (deployment[:2:-1], deployment[2:0:-1])


def test_deleting_a_deployment_keeps_its_files(vercel):
    deployment = vercel.deploy()
    response = vercel.request("DELETE", f"/v13/deployments/{deployment['id']}")
    assert response == {"uid": deployment["id"], "state": "DELETED"}
    vercel.request_error("GET", f"/v13/deployments/{deployment['id']}", 404)
    assert vercel.create_deployment(make_output())["readyState"] == "QUEUED"


def test_build_log_is_returned(vercel):
    deployment = vercel.deploy()
    events = vercel.request("GET", f"/v3/deployments/{deployment['id']}/events")
    assert events[-1]["text"] == "Deployment completed"
    lines = vercel.http.get(f"/v3/now/deployments/{deployment['id']}/events?follow=1&format=lines")
    assert len(lines.text.splitlines()) == len(events)


def test_runtime_logs_are_streamed_until_the_delimiter(vercel):
    deployment = vercel.deploy()
    vercel.fake.write_log("hello")
    path = f"/v1/projects/shop/deployments/{deployment['id']}/runtime-logs?format=lines"
    lines = []
    with vercel.http.stream("GET", path) as response:
        for line in response.iter_lines():
            if not lines:
                vercel.fake.write_log("again", level="error")
            lines.append(line)
    assert ["hello" in lines[0], "again" in lines[1], "delimiter" in lines[2]] == [True] * 3
