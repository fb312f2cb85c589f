"""The real `vercel` command, run against the fake."""

import os
import subprocess

import pytest

from tests.vercel.fake.contract.packages import get_cli_command
from tests.vercel.fake.contract.schemas import find_violations
from tests.vercel.fake_client import make_output, open_client

pytestmark = pytest.mark.slow

# Undocumented requests of the command.
UNDOCUMENTED = (
    "/env/pull/.* undocumented operation",
    "/events .*unknown query parameter format",
    "the request's .*'visibility'",
)


@pytest.fixture
def vercel(tmp_path):
    with open_client(tmp_path / "platform") as client:
        client.fake.set_build_speed(polls=0)
        yield client


@pytest.fixture
def run(vercel, tmp_path):
    """Run `vercel ARGUMENTS` in a directory with a prebuilt output, and return what it printed."""
    app, home = tmp_path / "app", tmp_path / "home"
    for name, content in make_output().items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_bytes(content)
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "VERCEL_TELEMETRY_DISABLED": "1"}
    options = ["--api", vercel.fake.url, "--scope", "acme", "--global-config", str(home / "vc")]

    def command(*arguments, token=vercel.fake.token, code=0, stdin=""):
        process = subprocess.run(
            [*get_cli_command(), *arguments, *options, "--token", token],
            cwd=app,
            env={**environment, "NO_UPDATE_NOTIFIER": "1", "CI": "1"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert process.returncode == code, (process.stdout, process.stderr)
        return process.stdout + process.stderr

    return command


@pytest.fixture
def run_linked(run):
    run("project", "add", "shop")
    run("link", "--yes", "--project", "shop")
    return run


def find_live(vercel):
    return vercel.fake.find_live_deployment("production")


def test_whoami_and_teams(run):
    assert "tester" in run("whoami")
    assert "Acme" in run("teams", "ls")
    assert "token" in run("whoami", token="nonsense", code=1)


def test_prebuilt_output_is_deployed_as_files_and_as_an_archive(run_linked, vercel):
    run_linked("deploy", "--prebuilt", "--yes")
    first = find_live(vercel)
    assert dict(vercel.fake.get_live("production").files) == make_output()
    run_linked("deploy", "--prebuilt", "--yes", "--prod", "--force", "--archive=tgz")
    assert find_live(vercel).id != first.id
    assert dict(vercel.fake.get_live("production").files) == make_output()
    run_linked("deploy", "--prebuilt", "--yes", "--force")
    assert vercel.fake.find_live_deployment("preview")


@pytest.mark.full
def test_deployments_are_listed_inspected_and_removed(run_linked, vercel):
    run_linked("deploy", "--prebuilt", "--yes")
    deployment = find_live(vercel)
    assert deployment.url in run_linked("ls")
    assert deployment.id in run_linked("inspect", deployment.id)
    assert "Deployment completed" in run_linked("inspect", deployment.url, "--logs")
    run_linked("remove", deployment.id, "--yes")
    assert vercel.fake.list_deployments() == []
    run_linked("remove", "shop", "--yes")
    assert vercel.fake.list_resources() == []


@pytest.mark.full
def test_rollback_and_promote(run_linked, vercel):
    for _ in range(2):
        run_linked("deploy", "--prebuilt", "--yes", "--prod", "--force")
    first, second = vercel.fake.list_deployments()
    assert "rolled back" in run_linked("rollback", first.id, "--yes")
    assert find_live(vercel) is first
    assert "was promoted" in run_linked("promote", second.id, "--yes")
    assert find_live(vercel) is second
    run_linked("deploy", "--prebuilt", "--yes", "--force")
    preview = vercel.fake.find_live_deployment("preview")
    run_linked("promote", preview.id, "--yes")  # creates another deployment with the same files
    vercel.fake.finish_deployments()
    assert find_live(vercel).target == "production"
    assert find_live(vercel).id not in {first.id, second.id, preview.id}


@pytest.mark.full
def test_variables_are_added_listed_and_removed(run_linked, vercel):
    run_linked("env", "add", "API_KEY", "production", stdin="hush")
    assert [v.value for v in vercel.fake.find_project().env.values()] == ["hush"]
    assert "API_KEY" in run_linked("env", "ls")
    run_linked("env", "rm", "API_KEY", "production", "--yes")
    assert vercel.fake.find_project().env == {}


@pytest.mark.full
def test_rolling_release_is_configured_approved_completed_and_aborted(run_linked, vercel):
    run_linked("deploy", "--prebuilt", "--yes")
    roll = ("rolling-release",)
    advancement = "--advancement-type=manual-approval"
    run_linked(*roll, "configure", "--enable", advancement, "--stage=10", "--stage=50")
    run_linked("deploy", "--prebuilt", "--yes", "--prod", "--force")
    canary = vercel.fake.list_deployments()[-1].id
    assert vercel.fake.get_traffic()[canary] == 10
    assert '"targetPercentage": 50' in run_linked(*roll, "fetch")
    run_linked(*roll, "approve", f"--dpl={canary}", "--currentStageIndex=0")
    assert vercel.fake.get_traffic()[canary] == 50
    run_linked(*roll, "complete", f"--dpl={canary}")
    assert vercel.fake.get_traffic() == {canary: 100}
    run_linked("deploy", "--prebuilt", "--yes", "--prod", "--force", "--skip-domain")
    run_linked(*roll, "start", f"--dpl={vercel.fake.list_deployments()[-1].id}", "--yes")
    assert vercel.fake.get_traffic()[canary] == 90
    run_linked(*roll, "abort", f"--dpl={canary}")
    assert vercel.fake.get_traffic() == {canary: 100}


@pytest.mark.full
def test_runtime_logs_are_read(run_linked, vercel):
    run_linked("deploy", "--prebuilt", "--yes")
    vercel.fake.write_log("hello from the app")
    assert "hello from the app" in run_linked("logs", "--deployment", find_live(vercel).id)


def test_cli_requests_match_the_contract(run_linked, vercel):
    run_linked("deploy", "--prebuilt", "--yes", "--prod", "--force", "--archive=tgz")
    run_linked("deploy", "--prebuilt", "--yes", "--prod", "--force", "--env", "A=1")
    run_linked("rollback", vercel.fake.list_deployments()[0].id, "--yes")
    run_linked("env", "add", "API_KEY", "production", stdin="hush")
    run_linked("ls")
    assert find_violations(vercel.fake.requests, ignore=UNDOCUMENTED) == []
