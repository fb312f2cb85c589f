"""`mastra deploy vercel` and the verbs after it, from the command line to a running function."""

import httpx
import pytest

from tests.sample_projects import ECHO, write_project
from tests.vercel.fake import (
    BUILDS_LIMITED,
    CLIENT_RETIRED,
    NOT_JSON,
    PAYMENT_NEEDED,
    TOO_LARGE,
    UPLOAD_QUOTA,
    Outcome,
)

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
CONFIG = """
[tool.mastra.env]
required = ["GREETING"]
[tool.mastra.targets.vercel]
project_name = "shop"
python = "3.12"
"""
GREETER = "import os\n" + ECHO.replace("echo: {text}", "{os.environ['GREETING']}")
SHOP = ("-s", "project_name=shop", "--python", "3.12")


@pytest.fixture
def shop(tmp_path):
    return write_project(
        tmp_path / "app", {INDEX: GREETER, ".env": "GREETING=hullo-4711\n"}, CONFIG
    )


@pytest.fixture(scope="module")
def bundled(tmp_path_factory, mastra):
    """A project and its bundle, made once for what only deploys."""
    home = tmp_path_factory.mktemp("bundled")
    root = write_project(home / "app", {INDEX: ECHO})
    mastra("bundle", "vercel", *SHOP, "-o", home / "out", cwd=root).ok()
    return root


@pytest.fixture
def deploy(bundled, run):
    """Deploy that bundle."""

    def command(*arguments, **environment):
        given = ("--prebuilt", bundled.parent / "out", "-s", "project_name=shop")
        return run(bundled, "deploy", "vercel", *given, *arguments, **environment)

    return command


def said(deployment, text="hi"):
    path = f"{deployment['url']}/api/agents/echo/generate"
    return httpx.post(path, json={"messages": text}, trust_env=False, timeout=30).json()["text"]


def uploads(vercel):
    return [request for request in vercel.requests if request.path.startswith("/v2/files")]


def test_from_a_project_to_an_answer_and_nothing_sent_twice(vercel, run, shop):
    done = run(shop, "deploy", "--prod", "--json").ok()
    made = done.json["deployment"]
    assert made["live"] and made["environment"] == "production"
    assert done.json["smoke"]["status"] == 200
    assert said(made) == "hullo-4711"
    assert "hullo-4711" not in done.out + done.err
    assert 1 < len(uploads(vercel)) < 70, "large things apart, small ones together"
    vercel.requests.clear()
    again = run(shop, "deploy", "--prod", "--json").ok().json["deployment"]
    assert uploads(vercel) == []
    assert again["id"] != made["id"] and said(again) == "hullo-4711"
    vercel.requests.clear()
    skipped = run(shop, "deploy", "--prod", "--skip-if-unchanged", "--json").ok().json
    assert skipped["skipped"] and skipped["deployment"]["id"] == again["id"]
    (shop / INDEX).write_text(GREETER.replace("GREETING']}", "GREETING']}!"))
    changed = run(shop, "deploy", "--prod", "--json").ok().json["deployment"]
    assert said(changed) == "hullo-4711!"
    assert sum(request.size for request in uploads(vercel)) < 50_000


def test_promote_rollback_list_and_destroy(vercel, deploy, run, bundled):
    ids = [
        deploy("--prod", "--message", f"n{n}", "--json").ok().json["deployment"]["id"] for n in "12"
    ]
    options = ("-s", "project_name=shop", "--target", "vercel")
    listed = run(bundled, "deployments", "vercel", *options[:2], "--json").ok().json["deployments"]
    assert [(each["id"], each["live"], each["message"]) for each in listed] == [
        (ids[1], True, "n2"),
        (ids[0], False, "n1"),
    ]
    run(bundled, "rollback", *options).ok()
    assert vercel.live_deployment("production").id == ids[0]
    vercel.set_plan("hobby")  # which has no rolling releases
    run(bundled, "promote", ids[1], *options).ok()
    assert vercel.live_deployment("production").id == ids[1]
    run(bundled, "promote", "dpl_nowhere", *options).failed(6, "'dpl_nowhere'")
    destroy = ("destroy", "vercel", *options[:2], "--yes", "--json")
    assert run(bundled, *destroy).ok().json["destroyed"] is True
    assert run(bundled, *destroy).ok().json["destroyed"] is False
    listed = run(bundled, "deployments", "vercel", *options[:2], "--json").ok().json
    assert listed["deployments"] == []


def test_a_preview_is_promoted_without_sending_its_files_again(vercel, deploy, run, bundled):
    deploy("--prod").ok()
    preview = deploy("--json").ok().json["deployment"]
    assert preview["environment"] == "preview"
    vercel.requests.clear()
    options = ("-s", "project_name=shop", "--target", "vercel", "--json")
    promoted = run(bundled, "promote", preview["id"], *options).ok().json["deployment"]
    assert promoted["live"] and promoted["environment"] == "production"
    assert promoted["id"] != preview["id"] and uploads(vercel) == []
    assert said(promoted) == "echo: hi"


def test_the_first_deployment_becomes_production_and_that_is_said(vercel, deploy):
    done = deploy("--json").ok().json
    assert done["deployment"]["environment"] == "production"
    assert any("first deployment" in note["message"] for note in done["notes"])


def test_a_protected_preview_is_tried_with_the_bypass_and_not_without(vercel, deploy):
    deploy("--prod").ok()
    done = deploy("--json").ok().json
    assert done["smoke"] is None
    assert any("protected" in note["message"] for note in done["notes"])
    secret = "b" * 32
    vercel.find_project().bypass = {secret: {"scope": "automation-bypass"}}
    done = deploy("--json", VERCEL_AUTOMATION_BYPASS_SECRET=secret).ok()
    assert done.json["smoke"]["status"] == 200
    assert secret not in done.out + done.err


def test_a_staged_deployment_is_promoted_once_it_answers(vercel, deploy):
    first = deploy("--prod", "--json").ok().json["deployment"]
    secret = "c" * 32
    vercel.find_project().bypass = {secret: {"scope": "automation-bypass"}}
    vercel.requests.clear()
    staged = ("--prod", "-s", "staged=true", "--json")
    done = deploy(*staged, VERCEL_AUTOMATION_BYPASS_SECRET=secret).ok().json
    assert done["deployment"]["live"] and done["deployment"]["id"] != first["id"]
    assert vercel.live_deployment("production").id == done["deployment"]["id"]
    assert vercel.asked("POST", "/promote/")


def test_a_dry_run_reads_and_changes_nothing(vercel, deploy):
    plan = deploy("--dry-run", "--json").ok().json["plan"]
    assert plan["creates"] == ["project shop", "preview deployment"]
    assert plan["present"] == 0 and plan["upload"] > 1_000_000
    assert {request.method for request in vercel.requests} == {"GET"}
    deploy().ok()
    plan = deploy("--dry-run", "--json").ok().json["plan"]
    assert plan["upload"] == 0 and plan["creates"] == ["preview deployment"]


def test_variables_and_logs(vercel, run, shop):
    run(shop, "deploy", "--prod").ok()
    assert run(shop, "env", "list", "--json").ok().json["names"] == {"GREETING": "production"}
    run(shop, "env", "set", "EXTRA", EXTRA="extra-4711").ok()
    assert "+ EXTRA" in run(shop, "env", "diff").ok().out
    run(shop, "env", "unset", "EXTRA").ok()
    assert "EXTRA" not in run(shop, "env", "list").ok().out
    vercel.say("the shop is open")
    assert "the shop is open" in run(shop, "logs").ok().out


def test_canary_by_a_rolling_release(vercel, deploy, run, bundled):
    first = deploy("--prod", "--json").ok().json["deployment"]["id"]
    second = deploy("--prod", "-s", "staged=true", "--no-smoke", "--no-wait", "--json").ok()
    second = second.json["deployment"]["id"]
    vercel.settle()
    options = ("-s", "project_name=shop", "--target", "vercel", "--json")
    shared = run(bundled, "canary", second, "--percent", "20", *options).ok().json["deployment"]
    assert shared["percent"] == 20
    assert vercel.traffic() == {second: 20, first: 80}
    run(bundled, "canary", second, "--percent", "10", *options).failed(6, "from 20 % to 10 %")
    third = deploy("--prod", "-s", "staged=true", "--no-smoke", "--no-wait", "--json").ok()
    vercel.settle()
    third = third.json["deployment"]["id"]
    run(bundled, "promote", third, *options).failed(6, second, "--percent 0")
    run(bundled, "canary", second, "--percent", "100", *options).ok()
    assert vercel.live_deployment("production").id == second
    vercel.requests.clear()
    run(bundled, "canary", first, "--percent", "100", *options).ok()
    assert vercel.live_deployment("production").id == first
    assert not vercel.asked("PATCH"), "everything at once is no release"


@pytest.mark.parametrize(
    ("token", "team", "code", "words"),
    [
        ("wrong-token-8888", "", 7, "account/tokens"),
        (None, "team_globex", 7, "account/tokens"),
        (None, "team_initech", 7, "identity provider"),
        ("", "", 7, "VERCEL_TOKEN is not set"),
    ],
)
def test_tokens_that_do_not_open_the_door(deploy, token, team, code, words):
    given = {} if token is None else {"VERCEL_TOKEN": token or None}
    done = deploy(*(("-s", f"team_id={team}") if team else ()), **given)
    done.failed(code, words)
    assert "wrong-token" not in done.out + done.err


@pytest.mark.parametrize(
    ("asked", "fault", "words"),
    [
        ("POST /v2/files", UPLOAD_QUOTA, "again"),
        ("POST /v13/deployments", BUILDS_LIMITED, "deployments are used up"),
        ("POST /v13/deployments", PAYMENT_NEEDED, "billing"),
        ("POST /v13/deployments", TOO_LARGE, "ship less"),
        ("GET /v9/projects", CLIENT_RETIRED, "too old"),
        ("GET /v9/projects", NOT_JSON, "vercel-status.com"),
    ],
)
def test_refusals_are_explained(vercel, deploy, asked, fault, words):
    vercel.answer(*asked.split(), fault, times=50)
    deploy("--prod").failed(8, words)
    assert vercel.live_deployment("production") is None


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(state="ERROR", code="BUILD_FAILED", message="it broke"), "it broke"),
        (Outcome(state="CANCELED"), "CANCELED"),
        (Outcome(state="BLOCKED"), "BLOCKED"),
        (Outcome(alias=("cert_missing", "no certificate")), "no certificate"),
    ],
)
def test_a_deployment_that_does_not_get_ready(vercel, deploy, outcome, words):
    vercel.end_next(outcome)
    deploy("--prod").failed(9, words)


def test_a_deployment_that_takes_for_ever(vercel, deploy):
    vercel.end_next(Outcome(state="BUILDING"))
    deploy("--prod", "-s", "timeout=1").failed(10, "not done after 1 s")


def test_a_variable_that_vercel_refuses_stops_the_deploy(vercel, run, shop):
    vercel.refuse_env("GREETING", "bad", "too rude")
    run(shop, "deploy", "--prod").failed(8, "GREETING", "too rude")
    assert vercel.live_deployment("production") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("sqlite:///shop.db", "read-only"),
        ("file:///tmp/shop", "read-only"),
        ("postgresql://u:p4711@localhost:5432/shop", "this machine"),
        ("x" * 66_000, "65536"),
    ],
)
def test_values_that_cannot_work_there_are_found_before_anything_is_sent(
    vercel, run, shop, value, words
):
    done = run(shop, "deploy", "--prod", GREETING=value).failed(6, words)
    assert "p4711" not in done.err
    assert not vercel.asked("POST")


def test_a_plan_that_is_too_small_is_said_before_the_build(vercel, run, shop):
    vercel.set_plan("hobby")
    (shop / INDEX).write_text("import nowhere\n" + GREETER)
    run(shop, "deploy", "-s", "max_duration=600", "-s", "team_id=team_acme").failed(
        6, "'hobby'", "300"
    )


def test_names_and_sizes_that_vercel_refuses(run, shop):
    run(shop, "deploy", "-s", "project_name=My_Shop").failed(4, "'My_Shop'", "lower-case")


def test_an_entry_that_reads_an_undeclared_variable(run, shop):
    (shop / INDEX).write_text("import os\nTOKEN = os.environ['UNDECLARED']\n" + GREETER)
    run(shop, "deploy").failed(2, "UNDECLARED", "Declare it")


def test_a_dead_network_and_an_aborted_upload_go_on_where_they_were(vercel, deploy):
    deploy("--prod", VERCEL_API_URL="http://127.0.0.1:9").failed(8, "cannot be reached")
    vercel.answer("POST", "/v2/files", UPLOAD_QUOTA, times=50, skip=5)
    deploy("--prod").failed(8)
    there = len([request for request in uploads(vercel) if request.status == 200])
    vercel.heal()
    vercel.requests.clear()
    made = deploy("--prod", "--json").ok().json["deployment"]
    assert said(made) == "echo: hi"
    total = len(vercel.asked("POST", "/v13/deployments")[0].body["files"])
    assert there == 5 and len(uploads(vercel)) == total - there
