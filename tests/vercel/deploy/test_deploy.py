"""`mastra deploy vercel` and related commands, from the command line to a running function."""

import httpx
import pytest

from tests.sample_projects import ECHO, STARLETTE, write_project
from tests.vercel.fake import (
    BUILDS_LIMITED,
    CLIENT_RETIRED,
    NOT_JSON,
    PAYMENT_REQUIRED,
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


def write_small_project(root):
    """An app whose bundle has a quarter of the files of an agent's."""
    return write_project(root, {"main.py": STARLETTE}, dependencies=("starlette",))


@pytest.fixture
def shop(tmp_path):
    return write_project(
        tmp_path / "app", {INDEX: GREETER, ".env": "GREETING=hullo-4711\n"}, CONFIG
    )


@pytest.fixture(scope="module")
def bundled_project(tmp_path_factory, mastra):
    """A small project and its bundle, built once for tests that only deploy."""
    root = write_small_project(tmp_path_factory.mktemp("bundled") / "app")
    options = ("--app", "main:app", *SHOP, "-o", root.parent / "out")
    mastra("bundle", "vercel", *options, cwd=root).ok()
    return root


@pytest.fixture
def deploy(bundled_project, run):
    """Deploy that bundle."""

    def command(*arguments, **environment):
        options = ("--prebuilt", bundled_project.parent / "out", "-s", "project_name=shop")
        return run(bundled_project, "deploy", "vercel", *options, *arguments, **environment)

    return command


def generate(deployment, text="hi"):
    path = f"{deployment['url']}/api/agents/echo/generate"
    return httpx.post(path, json={"messages": text}, trust_env=False, timeout=30).json()["text"]


def get_home(deployment):
    return httpx.get(deployment["url"], trust_env=False, timeout=30).text


def find_uploads(vercel):
    return [request for request in vercel.requests if request.path.startswith("/v2/files")]


def test_deploy_sends_each_file_once(vercel, run, shop):
    done = run(shop, "deploy", "--prod", "--json").ok()
    first = done.json["deployment"]
    assert first["live"] and first["environment"] == "production"
    assert done.json["smoke"]["status"] == 200
    assert generate(first) == "hullo-4711"
    assert "hullo-4711" not in done.out + done.err
    assert 1 < len(find_uploads(vercel)) < 70, (
        "large files have parts of their own, small ones share"
    )
    vercel.requests.clear()
    second = run(shop, "deploy", "--prod", "--json").ok().json["deployment"]
    assert find_uploads(vercel) == []
    assert second["id"] != first["id"] and generate(second) == "hullo-4711"
    vercel.requests.clear()
    unchanged = run(shop, "deploy", "--prod", "--skip-if-unchanged", "--json").ok().json
    assert unchanged["skipped"] and unchanged["deployment"]["id"] == second["id"]
    (shop / INDEX).write_text(GREETER.replace("GREETING']}", "GREETING']}!"))
    third = run(shop, "deploy", "--prod", "--json").ok().json["deployment"]
    assert generate(third) == "hullo-4711!"
    assert sum(request.size for request in find_uploads(vercel)) < 50_000


def test_promote_rollback_list_and_destroy(vercel, deploy, run, bundled_project):
    ids = [
        deploy("--prod", "--message", f"n{n}", "--json").ok().json["deployment"]["id"] for n in "12"
    ]
    options = ("-s", "project_name=shop", "--target", "vercel")
    deployments = (
        run(bundled_project, "deployments", "vercel", *options[:2], "--json")
        .ok()
        .json["deployments"]
    )
    assert [(item["id"], item["live"], item["message"]) for item in deployments] == [
        (ids[1], True, "n2"),
        (ids[0], False, "n1"),
    ]
    run(bundled_project, "rollback", *options).ok()
    assert vercel.find_live_deployment("production").id == ids[0]
    vercel.set_plan("hobby")  # which has no rolling releases
    run(bundled_project, "promote", ids[1], *options).ok()
    assert vercel.find_live_deployment("production").id == ids[1]
    run(bundled_project, "promote", "dpl_nowhere", *options).failed(6, "'dpl_nowhere'")
    destroy = ("destroy", "vercel", *options[:2], "--yes", "--json")
    assert run(bundled_project, *destroy).ok().json["destroyed"] is True
    assert run(bundled_project, *destroy).ok().json["destroyed"] is False
    deployments = run(bundled_project, "deployments", "vercel", *options[:2], "--json").ok().json
    assert deployments["deployments"] == []


@pytest.mark.full
def test_preview_is_promoted_without_uploading(vercel, deploy, run, bundled_project):
    deploy("--prod").ok()
    preview = deploy("--json").ok().json["deployment"]
    assert preview["environment"] == "preview"
    vercel.requests.clear()
    options = ("-s", "project_name=shop", "--target", "vercel", "--json")
    production = run(bundled_project, "promote", preview["id"], *options).ok().json["deployment"]
    assert production["live"] and production["environment"] == "production"
    assert production["id"] != preview["id"] and find_uploads(vercel) == []
    assert get_home(production) == "nobody"


def test_first_deployment_becomes_production_with_a_note(vercel, deploy):
    done = deploy("--json").ok().json
    assert done["deployment"]["environment"] == "production"
    assert any("first deployment" in note["message"] for note in done["notes"])


@pytest.mark.full
def test_protected_preview_is_smoke_tested_only_with_the_bypass(vercel, deploy):
    deploy("--prod").ok()
    done = deploy("--json").ok().json
    assert done["smoke"] is None
    assert any("protected" in note["message"] for note in done["notes"])
    secret = "b" * 32
    vercel.find_project().bypass = {secret: {"scope": "automation-bypass"}}
    done = deploy("--json", VERCEL_AUTOMATION_BYPASS_SECRET=secret).ok()
    assert done.json["smoke"]["status"] == 200
    assert secret not in done.out + done.err


@pytest.mark.full
def test_staged_deployment_is_promoted_after_its_smoke_test(vercel, deploy):
    first = deploy("--prod", "--json").ok().json["deployment"]
    secret = "c" * 32
    vercel.find_project().bypass = {secret: {"scope": "automation-bypass"}}
    vercel.requests.clear()
    options = ("--prod", "-s", "staged=true", "--json")
    done = deploy(*options, VERCEL_AUTOMATION_BYPASS_SECRET=secret).ok().json
    assert done["deployment"]["live"] and done["deployment"]["id"] != first["id"]
    assert vercel.find_live_deployment("production").id == done["deployment"]["id"]
    assert vercel.find_requests("POST", "/promote/")


@pytest.mark.full
def test_dry_run_only_reads(vercel, deploy):
    plan = deploy("--dry-run", "--json").ok().json["plan"]
    assert plan["creates"] == ["project shop", "preview deployment"]
    assert plan["present"] == 0 and plan["upload"] > 1_000_000
    assert {request.method for request in vercel.requests} == {"GET"}
    deploy().ok()
    plan = deploy("--dry-run", "--json").ok().json["plan"]
    assert plan["upload"] == 0 and plan["creates"] == ["preview deployment"]


@pytest.mark.full
def test_variables_and_logs(vercel, run, shop):
    run(shop, "deploy", "--prod").ok()
    assert run(shop, "env", "list", "--json").ok().json["names"] == {"GREETING": "production"}
    run(shop, "env", "set", "EXTRA", EXTRA="extra-4711").ok()
    assert "+ EXTRA" in run(shop, "env", "diff").ok().out
    run(shop, "env", "unset", "EXTRA").ok()
    assert "EXTRA" not in run(shop, "env", "list").ok().out
    vercel.write_log("the shop is open")
    assert "the shop is open" in run(shop, "logs").ok().out


def test_staged_deployment_is_not_left_unpublished(vercel, deploy):
    staged = ("--prod", "-s", "staged=true", "--no-wait")
    for options in ((), ("--dry-run",)):
        deploy(*staged, *options).failed(2, "With --no-wait, mastra ends", "--no-promote")
    plan = deploy("--prod", "--no-promote", "--dry-run", "--json").ok().json["plan"]
    assert plan["creates"] == ["project shop", "production draft"]
    assert not vercel.find_requests("POST"), "nothing was sent"


@pytest.mark.full
def test_canary_uses_a_rolling_release(vercel, deploy, run, bundled_project):
    first = deploy("--prod", "--json").ok().json["deployment"]["id"]
    second = deploy("--prod", "-s", "staged=true", "--no-promote", "--no-wait", "--json").ok()
    second = second.json["deployment"]["id"]
    vercel.finish_deployments()
    options = ("-s", "project_name=shop", "--target", "vercel", "--json")
    deployment = (
        run(bundled_project, "canary", second, "--percent", "20", *options).ok().json["deployment"]
    )
    assert deployment["percent"] == 20
    assert vercel.get_traffic() == {second: 20, first: 80}
    run(bundled_project, "canary", second, "--percent", "10", *options).failed(
        6, "from 20 % to 10 %"
    )
    third = deploy("--prod", "-s", "staged=true", "--no-promote", "--no-wait", "--json").ok()
    vercel.finish_deployments()
    third = third.json["deployment"]["id"]
    run(bundled_project, "promote", third, *options).failed(6, second, "--percent 0")
    run(bundled_project, "canary", second, "--percent", "100", *options).ok()
    assert vercel.find_live_deployment("production").id == second
    vercel.requests.clear()
    run(bundled_project, "canary", first, "--percent", "100", *options).ok()
    assert vercel.find_live_deployment("production").id == first
    assert not vercel.find_requests("PATCH"), "100 % at once is a promotion"


@pytest.mark.parametrize(
    ("token", "team", "code", "message"),
    [
        ("wrong-token-8888", "", 7, "account/tokens"),
        (None, "team_globex", 7, "account/tokens"),
        (None, "team_initech", 7, "identity provider"),
        ("", "", 7, "VERCEL_TOKEN is not set"),
    ],
)
def test_invalid_tokens_are_reported_with_a_hint(deploy, token, team, code, message):
    variables = {} if token is None else {"VERCEL_TOKEN": token or None}
    done = deploy(*(("-s", f"team_id={team}") if team else ()), **variables)
    done.failed(code, message)
    assert "wrong-token" not in done.out + done.err


@pytest.mark.parametrize(
    ("endpoint", "fault", "message"),
    [
        ("POST /v2/files", UPLOAD_QUOTA, "again"),
        pytest.param(
            "POST /v13/deployments",
            BUILDS_LIMITED,
            "daily limit of deployments",
            marks=pytest.mark.full,
        ),
        ("POST /v13/deployments", PAYMENT_REQUIRED, "billing"),
        ("POST /v13/deployments", TOO_LARGE, "Reduce the size"),
        ("GET /v9/projects", CLIENT_RETIRED, "too old"),
        pytest.param("GET /v9/projects", NOT_JSON, "vercel-status.com", marks=pytest.mark.full),
    ],
)
def test_api_errors_are_reported_with_a_hint(vercel, deploy, endpoint, fault, message):
    vercel.add_fault(*endpoint.split(), fault, times=50)
    deploy("--prod").failed(8, message)
    assert vercel.find_live_deployment("production") is None


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(state="ERROR", code="BUILD_FAILED", message="it broke"), "it broke"),
        pytest.param(Outcome(state="CANCELED"), "CANCELED", marks=pytest.mark.full),
        pytest.param(Outcome(state="BLOCKED"), "BLOCKED", marks=pytest.mark.full),
        (Outcome(alias=("cert_missing", "no certificate")), "no certificate"),
    ],
)
def test_failed_deployment_is_reported(vercel, deploy, outcome, message):
    vercel.set_next_outcomes(outcome)
    deploy("--prod").failed(9, message)


def test_deployment_that_never_finishes_times_out(vercel, deploy):
    vercel.set_next_outcomes(Outcome(state="BUILDING"))
    deploy("--prod", "-s", "timeout=1").failed(10, "did not finish within 1 s")


def test_rejected_variable_stops_the_deploy(vercel, run, shop):
    vercel.reject_variable("GREETING", "bad", "too rude")
    run(shop, "deploy", "--prod").failed(8, "GREETING", "too rude")
    assert vercel.find_live_deployment("production") is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("sqlite:///shop.db", "read-only"),
        ("file:///tmp/shop", "read-only"),
        ("postgresql://u:p4711@localhost:5432/shop", "this machine"),
        ("x" * 66_000, "65,536"),
    ],
)
def test_invalid_values_are_found_before_uploading(vercel, run, shop, value, message):
    done = run(shop, "deploy", "--prod", GREETING=value).failed(6, message)
    assert "p4711" not in done.err
    assert not vercel.find_requests("POST")


def test_plan_limits_are_checked_before_the_build(vercel, run, shop):
    vercel.set_plan("hobby")
    (shop / INDEX).write_text("import nowhere\n" + GREETER)
    run(shop, "deploy", "-s", "max_duration=600", "-s", "team_id=team_acme").failed(
        6, "'hobby'", "300"
    )


def test_project_name_is_the_name_of_the_project(tmp_path, mastra):
    root = write_small_project(tmp_path / "app")
    pyproject = root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"app"', '"Corner_Shop.eu"', 1))
    options = ("bundle", "vercel", "--app", "main:app", "--python", "3.12")
    mastra(*options, cwd=root).ok()
    pyproject.write_text(pyproject.read_text().replace('"Corner_Shop.eu"', '"a---b"', 1))
    mastra(*options, cwd=root).ok()
    pyproject.unlink()
    mastra(*options, cwd=root).failed(2, "VercelDeployer needs project_name")


def test_invalid_project_name_is_reported(run, shop):
    run(shop, "deploy", "-s", "project_name=My_Shop").failed(4, "'My_Shop'", "lower-case")


def test_entry_that_reads_an_undeclared_variable(run, shop):
    (shop / INDEX).write_text("import os\nTOKEN = os.environ['UNDECLARED']\n" + GREETER)
    run(shop, "deploy").failed(2, "UNDECLARED", "Declare it")


@pytest.mark.full
def test_aborted_upload_resumes(vercel, deploy):
    deploy("--prod", VERCEL_API_URL="http://127.0.0.1:9").failed(8, "cannot be reached")
    vercel.add_fault("POST", "/v2/files", UPLOAD_QUOTA, times=50, skip=5)
    deploy("--prod").failed(8)
    sent_parts = len([request for request in find_uploads(vercel) if request.status == 200])
    vercel.clear_faults()
    vercel.requests.clear()
    deployment = deploy("--prod", "--json").ok().json["deployment"]
    assert get_home(deployment) == "nobody"
    total = len(vercel.find_requests("POST", "/v13/deployments")[0].body["files"])
    assert sent_parts == 5 and len(find_uploads(vercel)) == total - sent_parts
