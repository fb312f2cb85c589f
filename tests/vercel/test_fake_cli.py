"""The real `vercel` command, pointed at the fake, does its daily work."""

import os
import subprocess

import pytest

from tests.vercel.fake.contract import violations
from tests.vercel.fake.npm import command_line
from tests.vercel.fake_client import client_of, output

pytestmark = pytest.mark.slow

# What the command asks that no document has: its own way to the same things.
UNDOCUMENTED = (
    "/env/pull/.* no such operation",
    "/events .*the query has no format",
    "the request's .*'visibility'",
)


@pytest.fixture
def vercel(tmp_path):
    with client_of(tmp_path / "platform") as client:
        client.fake.set_pace(looks=0)
        yield client


@pytest.fixture
def run(vercel, tmp_path):
    """`vercel ARGUMENTS` in a directory with a prebuilt output; what it printed."""
    app, home = tmp_path / "app", tmp_path / "home"
    for name, content in output().items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_bytes(content)
    home.mkdir()
    known = {"PATH": os.environ["PATH"], "HOME": str(home), "VERCEL_TELEMETRY_DISABLED": "1"}
    place = ["--api", vercel.fake.url, "--scope", "acme", "--global-config", str(home / "vc")]

    def command(*arguments, token=vercel.fake.token, code=0, said=""):
        done = subprocess.run(
            [*command_line(), *arguments, *place, "--token", token],
            cwd=app,
            env={**known, "NO_UPDATE_NOTIFIER": "1", "CI": "1"},
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    return command


@pytest.fixture
def linked(run):
    run("project", "add", "shop")
    run("link", "--yes", "--project", "shop")
    return run


def live(vercel):
    return vercel.fake.live_deployment("production")


def test_it_says_who_one_is_and_which_teams_there_are(run):
    assert "tester" in run("whoami")
    assert "Acme" in run("teams", "ls")
    assert "token" in run("whoami", token="nonsense", code=1)


def test_a_prebuilt_output_is_deployed_file_by_file_and_as_an_archive(linked, vercel):
    linked("deploy", "--prebuilt", "--yes")
    first = live(vercel)
    assert dict(vercel.fake.live("production").files) == output()
    linked("deploy", "--prebuilt", "--yes", "--prod", "--force", "--archive=tgz")
    assert live(vercel).id != first.id
    assert dict(vercel.fake.live("production").files) == output()
    linked("deploy", "--prebuilt", "--yes", "--force")
    assert vercel.fake.live_deployment("preview")


def test_deployments_are_listed_inspected_and_removed(linked, vercel):
    linked("deploy", "--prebuilt", "--yes")
    made = live(vercel)
    assert made.url in linked("ls")
    assert made.id in linked("inspect", made.id)
    assert "Deployment completed" in linked("inspect", made.url, "--logs")
    linked("remove", made.id, "--yes")
    assert vercel.fake.deployments() == []
    linked("remove", "shop", "--yes")
    assert vercel.fake.things() == []


def test_production_goes_back_and_forth(linked, vercel):
    for _ in range(2):
        linked("deploy", "--prebuilt", "--yes", "--prod", "--force")
    first, second = vercel.fake.deployments()
    assert "rolled back" in linked("rollback", first.id, "--yes")
    assert live(vercel) is first
    assert "was promoted" in linked("promote", second.id, "--yes")
    assert live(vercel) is second
    linked("deploy", "--prebuilt", "--yes", "--force")
    preview = vercel.fake.live_deployment("preview")
    linked("promote", preview.id, "--yes")  # makes another of the same files
    vercel.fake.settle()
    assert live(vercel).target == "production"
    assert live(vercel).id not in {first.id, second.id, preview.id}


def test_variables_are_added_listed_and_removed(linked, vercel):
    linked("env", "add", "API_KEY", "production", said="hush")
    assert [v.value for v in vercel.fake.find_project().env.values()] == ["hush"]
    assert "API_KEY" in linked("env", "ls")
    linked("env", "rm", "API_KEY", "production", "--yes")
    assert vercel.fake.find_project().env == {}


def test_a_rolling_release_is_configured_approved_completed_and_aborted(linked, vercel):
    linked("deploy", "--prebuilt", "--yes")
    roll = ("rolling-release",)
    kind = "--advancement-type=manual-approval"
    linked(*roll, "configure", "--enable", kind, "--stage=10", "--stage=50")
    linked("deploy", "--prebuilt", "--yes", "--prod", "--force")
    canary = vercel.fake.deployments()[-1].id
    assert vercel.fake.traffic()[canary] == 10
    assert '"targetPercentage": 50' in linked(*roll, "fetch")
    linked(*roll, "approve", f"--dpl={canary}", "--currentStageIndex=0")
    assert vercel.fake.traffic()[canary] == 50
    linked(*roll, "complete", f"--dpl={canary}")
    assert vercel.fake.traffic() == {canary: 100}
    linked("deploy", "--prebuilt", "--yes", "--prod", "--force", "--skip-domain")
    linked(*roll, "start", f"--dpl={vercel.fake.deployments()[-1].id}", "--yes")
    assert vercel.fake.traffic()[canary] == 90
    linked(*roll, "abort", f"--dpl={canary}")
    assert vercel.fake.traffic() == {canary: 100}


def test_what_the_app_logged_is_read(linked, vercel):
    linked("deploy", "--prebuilt", "--yes")
    vercel.fake.say("hello from the app")
    assert "hello from the app" in linked("logs", "--deployment", live(vercel).id)


def test_what_it_asks_and_hears_keeps_to_the_contract(linked, vercel):
    linked("deploy", "--prebuilt", "--yes", "--prod", "--force", "--archive=tgz")
    linked("deploy", "--prebuilt", "--yes", "--prod", "--force", "--env", "A=1")
    linked("rollback", vercel.fake.deployments()[0].id, "--yes")
    linked("env", "add", "API_KEY", "production", said="hush")
    linked("ls")
    assert violations(vercel.fake.requests, ignore=UNDOCUMENTED) == []
