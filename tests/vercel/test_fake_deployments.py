"""The fake: deployments from files, how they come along, and how they are found again."""

import hashlib
import time

import pytest

from tests.vercel.fake import Outcome
from tests.vercel.fake_client import archive, client_of, output


@pytest.fixture
def vercel(tmp_path):
    with client_of(tmp_path) as client:
        client.create_project()
        yield client


def test_missing_files_are_named_and_nothing_is_made(vercel):
    files = output(twin=b"x = 1\n")
    refused = vercel.announce(files, 400)["error"]
    assert refused["code"] == "missing_files"
    assert len(refused["missing"]) == 3  # two have one content
    for content in files.values():
        vercel.upload(content)
    assert vercel.announce(files)["readyState"] == "QUEUED"


def test_a_deployment_comes_along_look_by_look(vercel):
    for content in output().values():
        vercel.upload(content)
    made = vercel.announce(output())["id"]
    seen = [vercel.ask("GET", f"/v13/deployments/{made}") for _ in range(4)]
    assert [look["readyState"] for look in seen] == ["INITIALIZING", "BUILDING", "READY", "READY"]
    assert [look["aliasAssigned"] for look in seen] == [False, False, False, True]


def test_a_deployment_comes_along_by_itself_where_time_is_set(vercel):
    vercel.fake.set_pace(looks=1_000_000, seconds=0.001)
    made = vercel.deploy()
    end = time.monotonic() + 20
    while made["readyState"] != "READY":
        assert time.monotonic() < end, made
        made = vercel.watch(made["id"])


def test_a_custom_environment_has_deployments_and_variables_of_its_own(vercel):
    path = "/v9/projects/shop/custom-environments"
    known = vercel.ask("POST", path, 201, json={"slug": "qa"})
    item = {"key": "A", "value": "1", "type": "plain", "customEnvironmentIds": [known["id"]]}
    vercel.ask("POST", "/v10/projects/shop/env", 201, json=item)
    made = vercel.deploy(customEnvironmentSlugOrId="qa")
    assert (made["customEnvironment"]["slug"], made["env"]) == ("qa", ["A"])
    listed = vercel.ask("GET", "/v6/deployments?target=qa")["deployments"]
    assert [each["uid"] for each in listed] == [made["id"]]
    vercel.announce(output(), 404, customEnvironmentSlugOrId="nowhere")


def test_the_first_deployment_is_productions_and_the_next_a_preview(vercel):
    first, second = vercel.deploy(), vercel.deploy()
    assert (first["target"], second["target"]) == ("production", None)
    live = vercel.fake.live_deployment
    assert (live("production").id, live("preview").id) == (first["id"], second["id"])


def test_an_archive_in_parts_is_put_together(vercel):
    packed = archive(output())
    parts = {f".vercel/source.tgz.part{n + 1}": packed[n * 100 :][:100] for n in range(11)}
    parts = {name: part for name, part in parts.items() if part}
    assert len(parts) > 1
    assert vercel.deploy(parts)["readyState"] == "READY"
    assert dict(vercel.fake.live("production").files) == output()


def test_an_archive_that_is_cut_fails_in_the_build(vercel):
    made = vercel.deploy({".vercel/source.tgz.part1": archive(output())[:-40]})
    assert (made["readyState"], made["errorCode"]) == ("ERROR", "BUILD_FAILED")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b'{"runtime": "python3.9", "handler": "a.b"}', "not supported"),
        (b'{"runtime": "python3.12"}', "has no `handler`"),
        (b'{"runtime": "python3.12", "handler": "a.b", "maxDuration": 900}', "between 1 and 800"),
        (b"nonsense", "is no JSON"),
    ],
)
def test_what_is_wrong_in_the_output_fails_in_the_build(vercel, config, words):
    files = {**output(), ".vercel/output/functions/index.func/.vc-config.json": config}
    made = vercel.deploy(files)
    assert made["readyState"] == "ERROR"
    assert words in made["errorMessage"]


def test_the_environment_is_bound_when_a_deployment_is_made(vercel):
    def put(value):
        item = {"key": "A", "value": value, "type": "encrypted", "target": ["production"]}
        vercel.ask("POST", "/v10/projects/shop/env?upsert=true", 201, json=item)

    put("before")
    vercel.deploy(env={"OWN": "1"})
    put("after")
    assert dict(vercel.fake.live("production").env) == {"A": "before", "OWN": "1"}


def test_one_like_it_is_not_made_again_unless_forced(vercel):
    files = output()
    first = vercel.deploy(files)
    listed = [
        {"file": name, "sha": hashlib.sha1(content).hexdigest(), "size": len(content)}
        for name, content in files.items()
    ]
    body = {"name": "shop", "project": "shop", "files": listed}
    again = vercel.ask("POST", "/v13/deployments", json=body)
    assert again["id"] == first["id"]
    assert vercel.ask("POST", "/v13/deployments?forceNew=1", json=body)["id"] != first["id"]


@pytest.mark.parametrize("state", ["ERROR", "CANCELED", "BLOCKED"])
def test_deployments_end_badly_on_demand(vercel, state):
    vercel.fake.end_next(Outcome(state=state, code="UNEXPECTED_ERROR", message="no luck"))
    made = vercel.deploy()
    assert (made["readyState"], made["errorMessage"]) == (state, "no luck")
    assert vercel.fake.live("production") is None
    assert vercel.deploy()["readyState"] == "READY"


def test_aliases_and_checks_fail_on_demand(vercel):
    vercel.fake.end_next(
        Outcome(alias=("cert_missing", "no certificate")), Outcome(checks="failed")
    )
    alias, checks = vercel.deploy(), vercel.deploy(target="production")
    assert alias["aliasError"] == {"code": "cert_missing", "message": "no certificate"}
    assert checks["checksConclusion"] == "failed"
    assert (alias["aliasAssigned"], checks["aliasAssigned"]) == (False, False)


def test_a_hung_deployment_builds_until_it_is_cancelled(vercel):
    vercel.fake.hang()
    made = vercel.deploy()
    assert made["readyState"] == "BUILDING"
    gone = vercel.ask("PATCH", f"/v12/deployments/{made['id']}/cancel")
    assert gone["readyState"] == "CANCELED"


def test_a_staged_deployment_waits_for_its_promotion(vercel):
    vercel.deploy()
    staged = vercel.deploy(target="production", autoAssignCustomDomains=False)
    assert (staged["readySubstate"], staged["aliasAssigned"]) == ("STAGED", False)
    assert vercel.fake.live_deployment("production").id != staged["id"]


def test_a_deployment_is_found_by_id_host_and_alias_and_made_again(vercel):
    made = vercel.deploy()
    vercel.ask("POST", f"/v2/deployments/{made['id']}/aliases", json={"alias": "shop.example"})
    for name in (made["id"], made["url"], made["alias"][0], "shop.example"):
        assert vercel.ask("GET", f"/v13/deployments/{name}")["id"] == made["id"]
    body = {"name": "shop", "deploymentId": made["id"], "target": "production"}
    again = vercel.watch(vercel.ask("POST", "/v13/deployments?forceNew=1", json=body)["id"])
    assert again["id"] != made["id"]
    assert dict(vercel.fake.live("production").files) == output()


def test_the_list_is_filtered_and_cut_in_pages(vercel):
    made = [vercel.deploy(meta={"n": str(n)})["id"] for n in range(5)]

    def ids(**query):
        answer = vercel.ask("GET", "/v6/deployments", params={"projectId": "shop", **query})
        return [item["uid"] for item in answer["deployments"]], answer["pagination"]["next"]

    assert ids()[0] == made[::-1]
    assert ids(**{"meta-n": "3"})[0] == [made[3]]
    assert ids(target="production")[0] == made[:1]
    assert ids(state="ERROR,READY")[0] == made[::-1]
    page, until = ids(limit=2)
    assert (page, ids(limit=2, until=until)[0]) == (made[:2:-1], made[2:0:-1])


def test_a_deleted_deployment_is_gone_and_its_files_are_not(vercel):
    made = vercel.deploy()
    gone = vercel.ask("DELETE", f"/v13/deployments/{made['id']}")
    assert gone == {"uid": made["id"], "state": "DELETED"}
    vercel.error("GET", f"/v13/deployments/{made['id']}", 404)
    assert vercel.announce(output())["readyState"] == "QUEUED"


def test_the_log_of_the_build_is_told(vercel):
    made = vercel.deploy()
    events = vercel.ask("GET", f"/v3/deployments/{made['id']}/events")
    assert events[-1]["text"] == "Deployment completed"
    lines = vercel.http.get(f"/v3/now/deployments/{made['id']}/events?follow=1&format=lines")
    assert len(lines.text.splitlines()) == len(events)


def test_runtime_logs_come_line_by_line_until_the_delimiter(vercel):
    made = vercel.deploy()
    vercel.fake.say("hello")
    path = f"/v1/projects/shop/deployments/{made['id']}/runtime-logs?format=lines"
    heard = []
    with vercel.http.stream("GET", path) as answer:
        for line in answer.iter_lines():
            if not heard:
                vercel.fake.say("again", level="error")
            heard.append(line)
    assert ["hello" in heard[0], "again" in heard[1], "delimiter" in heard[2]] == [True] * 3
