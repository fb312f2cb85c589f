"""Everything around a deployer's hooks: commands, drafts, smoke tests, rollback."""

import json
import shutil

import pytest

from tests.repository import TESTS
from tests.sample_projects import ECHO, write_project
from tests.scripted_server import serve

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"
TOKEN = "paper-token-1"
CONFIG = """
[tool.mastra.env]
required = ["GREETING"]
optional = ["COLOUR"]
[tool.mastra.targets.paper]
deployer = "./paper.py"
file = "paper.json"
"""


@pytest.fixture(scope="module")
def bundled(tmp_path_factory, mastra):
    """A project with its bundle, built once."""
    root = write_project(tmp_path_factory.mktemp("paper") / "app", {INDEX: ECHO}, CONFIG)
    shutil.copy(TESTS / "deployer/file_platform.py", root / "paper.py")
    mastra("bundle", "paper", "-o", root / "out", cwd=root).ok()
    return root


class Site:
    """A deployment's address: responds with the given statuses, and repeats the last one."""

    def __init__(self):
        self.statuses, self.asked, self.login, self.url = [200], [], "", ""

    def answer(self, request):
        self.asked.append((request.path, request.headers.get("x-bypass")))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return status, {"location": self.login} if self.login else {}, {"success": True}


@pytest.fixture
def site():
    site = Site()
    with serve(site.answer) as server:
        site.url = server.url
        yield site


class World:
    def __init__(self, root, bundle, mastra, site):
        self.root, self.bundle, self.mastra, self.site = root, bundle, mastra, site
        self.write(deployments=[], live=[], env={}, log=[], calls=[], bend={})

    @property
    def file(self):
        return self.root / "paper.json"

    @property
    def state(self):
        return json.loads(self.file.read_text())

    def write(self, **state):
        before = self.state if self.file.exists() else {}
        self.file.write_text(json.dumps({**before, **state}))

    def run(self, *arguments, **environment):
        trust = str(self.root / "paper.py")
        known = {"PAPER_TOKEN": TOKEN, "MASTRA_TRUST": trust, "GREETING": "hullo-4711"}
        known |= environment
        known = {name: value for name, value in known.items() if value is not None}
        return self.mastra(*arguments, cwd=self.root, **known)

    def deploy(self, *arguments, **environment):
        url = ("-s", f"url={self.site.url}")
        given = ("--prebuilt", self.bundle, "--smoke-timeout", "1", *url, *arguments)
        return self.run("deploy", "paper", *given, **environment)


@pytest.fixture
def world(tmp_path, bundled, mastra, site):
    """The project alone: no command changes its bundle, which has two thousand files."""
    root = tmp_path / "app"
    shutil.copytree(bundled, root, ignore=shutil.ignore_patterns("out", ".mastra-local"))
    return World(root, bundled / "out", mastra, site)


def test_deploy_runs_a_smoke_test(world):
    done = world.deploy("--prod", "--json").ok().json
    assert done["smoke"]["status"] == 200
    assert done["smoke"]["url"] == f"{world.site.url}/health"
    assert done["deployment"]["id"] == "p1" and done["deployment"]["live"] is True
    assert done["skipped"] is False
    assert world.site.asked == [("/health", None)]
    text = world.deploy("--prod").ok().out
    assert "is live (production, p2)" in text and "Read on." in text and "responds with 200" in text


@pytest.mark.full
def test_smoke_path_and_slow_start(world):
    world.site.statuses = [503, 404, 200]
    world.deploy("--smoke", "/api/agents", "--smoke-timeout", "30").ok()
    assert [path for path, _ in world.site.asked] == ["/api/agents"] * 3
    world.site.asked.clear()
    world.deploy("--no-smoke").ok()
    assert world.site.asked == []


def test_failing_response_fails_the_deploy(world):
    world.site.statuses = [500]
    done = world.deploy("--prod", "--json")
    done.failed(9, "responds with status 500", "mastra rollback")
    assert done.json["deployment"]["id"] == "p1"
    assert done.json["error"]["exit_code"] == 9


@pytest.mark.full
def test_a_failed_smoke_test_names_only_commands_that_the_deployer_has(world):
    world.site.statuses = [500]
    done = world.deploy("--prod").failed(9, "mastra logs --target paper")
    assert "mastra rollback --target paper" in done.err
    source = (world.root / "paper.py").read_text()
    for verb in ("logs", "rollback"):
        source = source.replace(f"@hookimpl\ndef mastra_{verb}(", f"def _{verb}(")
    (world.root / "paper.py").write_text(source)
    done = world.deploy("--prod").failed(9, "--smoke PATH")
    assert "mastra logs" not in done.err and "mastra rollback" not in done.err


def test_a_dry_run_has_the_fingerprint_of_the_deploy(world):
    source = (world.root / "paper.py").read_text()
    note = source.replace('notes=("First.",)', "notes=(request.fingerprint,)")
    assert note != source
    (world.root / "paper.py").write_text(note)
    plan = world.deploy("--prod", "--dry-run", "--json").ok().json["plan"]
    world.deploy("--prod").ok()
    assert plan["notes"] == [world.state["deployments"][0]["fingerprint"]]


def test_unreachable_address_fails_the_deploy(world):
    world.deploy("-s", "url=http://127.0.0.1:9").failed(9, "does not respond")


def test_rollback_on_failure_restores_the_live_deployment(world):
    world.deploy("--prod").ok()
    world.site.statuses = [500]
    world.deploy("--prod", "--rollback-on-failure").failed(
        9, "Users see the previous deployment p1 again"
    )
    assert world.state["live"] == ["p1", "p2", "p1"]


def test_first_deployment_cannot_be_rolled_back(world):
    world.site.statuses = [500]
    world.deploy("--prod", "--rollback-on-failure").failed(9, "no other deployment")


def test_draft_is_promoted_after_the_smoke_test(world):
    world.write(bend={"drafts": True, "protected": True})
    done = world.deploy("--prod", "--json").ok()
    assert done.json["deployment"]["live"] is True
    assert world.state["live"] == ["p1"]
    assert world.site.asked == [("/health", "bypass-1")]
    assert "bypass-1" not in done.out + done.err


def test_failing_draft_is_not_promoted(world):
    world.write(bend={"drafts": True})
    world.site.statuses = [500]
    world.deploy("--prod").failed(9, "not promoted")
    assert world.state["live"] == []


def test_redirect_to_a_login_page_fails_the_deploy(world):
    world.write(bend={"protected": True})
    world.site.statuses, world.site.login = [302], "https://login.example/sso"
    done = world.deploy("--prod").failed(9, "redirects to login.example")
    assert "bypass-1" not in done.err
    world.site.login = f"{world.site.url}/elsewhere"
    world.deploy("--prod").ok()


def test_no_wait_skips_the_smoke_test(world):
    done = world.deploy("--prod", "--no-wait", "--json").ok().json
    assert done["deployment"]["state"] == "building" and done["smoke"] is None
    assert world.site.asked == []


def test_no_wait_publishes_a_draft_that_is_ready(world):
    world.write(bend={"drafts": "ready"})
    done = world.deploy("--prod", "--no-wait", "--json").ok().json
    assert done["deployment"]["live"] is True and world.state["live"] == ["p1"]
    assert world.site.asked == []


def test_no_wait_never_leaves_a_draft_unpublished_in_silence(world):
    world.write(bend={"drafts": True})
    done = world.deploy("--prod", "--no-wait", "--json")
    done.failed(9, "p1 is a draft", "not live", "mastra promote p1 --target paper")
    assert done.json["deployment"]["id"] == "p1" and world.state["live"] == []
    world.deploy("--preview", "--no-wait").ok()
    draft = world.deploy("--prod", "--no-promote").ok()
    assert "Publish it with: mastra promote p3 --target paper" in draft.out
    world.deploy("--prod", "--no-promote", "--no-wait").ok()
    assert world.state["live"] == []


def test_promote_gets_the_fingerprint_of_the_deploy(world):
    world.write(bend={"drafts": True})
    world.deploy("--prod").ok()
    fingerprint = world.state["deployments"][0]["fingerprint"]
    assert fingerprint and world.state["promoted"] == fingerprint
    world.deploy("--preview").ok()
    world.run("promote", "p2").ok()
    assert world.state["promoted"] == "", "a preview has other variables"
    world.run("promote", "p1").ok()
    assert world.state["promoted"] == fingerprint


def test_each_try_of_the_smoke_test_is_signed(world):
    world.write(bend={"signed": True})
    world.site.statuses = [503, 200]
    done = world.deploy("--smoke", "/status", "--smoke-timeout", "30").ok()
    assert world.site.asked == [("/status", "signed status 1"), ("/status", "signed status 2")]
    assert "signed" not in done.out + done.err


def test_a_deploy_after_a_change_of_variables_is_not_skipped(world):
    skip = ("--prod", "--skip-if-unchanged", "--json")
    world.write(bend={"effect": "next-deploy"})
    world.deploy(*skip).ok()
    assert world.deploy(*skip).ok().json["skipped"] is True
    done = world.run("env", "set", "OTHER", OTHER="x").ok()
    assert "takes effect with the next deploy: mastra deploy paper --prod" in done.out
    assert world.deploy(*skip).ok().json["skipped"] is False
    assert world.deploy(*skip).ok().json["skipped"] is True
    world.write(bend={"effect": "now"})
    assert world.run("env", "set", "OTHER", "--json", OTHER="y").ok().json["counts"] == "now"
    assert world.deploy(*skip).ok().json["skipped"] is True
    world.write(bend={"effect": "next-deploy", "killed": True})
    assert world.run("env", "set", "OTHER", OTHER="z").code == -9
    world.write(bend={})
    assert world.deploy(*skip).ok().json["skipped"] is False


def test_a_deploy_that_cannot_be_recorded_is_finished(world):
    (world.root / ".mastra-local/deployments.json").mkdir(parents=True)
    world.write(bend={"drafts": True})
    done = world.deploy("--prod").ok()
    assert "p1 was not recorded in the project" in done.err
    assert world.state["live"] == ["p1"], "the draft is promoted"


def test_a_draft_keeps_a_change_of_variables(world):
    skip = ("--prod", "--skip-if-unchanged", "--json")
    world.write(bend={"drafts": True, "effect": "next-deploy"})
    world.deploy(*skip).ok()
    world.run("env", "set", "OTHER", OTHER="x").ok()
    world.deploy("--prod", "--no-promote").ok()
    assert world.deploy(*skip).ok().json["skipped"] is False
    assert world.deploy(*skip).ok().json["skipped"] is True


def test_a_project_that_cannot_be_written_is_managed(world):
    shutil.rmtree(world.root / ".mastra-local", ignore_errors=True)
    (world.root / ".mastra-local").write_text("")
    assert "not recorded in the project" in world.deploy("--prod").ok().err
    assert "not recorded" in world.run("promote", "p1", "--target", "paper").ok().err
    world.run("destroy", "paper", "--yes").ok()
    assert world.state["live"] == []


@pytest.mark.full
def test_a_change_of_variables_from_another_machine_counts_too(world):
    skip = ("--prod", "--skip-if-unchanged", "--json")
    world.write(bend={"effect": "next-deploy", "dated": True})
    world.deploy(*skip).ok()
    world.run("env", "set", "OTHER", OTHER="x").ok()
    shutil.rmtree(world.root / ".mastra-local")
    assert world.deploy(*skip).ok().json["skipped"] is False
    assert world.deploy(*skip).ok().json["skipped"] is True


def test_a_stage_without_variables_of_its_own(world):
    source = (world.root / "paper.py").read_text()
    source = source.replace("previews=True,", 'previews=True, env_stages=("production",),')
    (world.root / "paper.py").write_text(source)
    world.run("env", "list", "--preview").failed(2, "cannot set variables for preview")
    world.deploy("--preview", GREETING=None).ok()
    assert world.state["env"] == {}
    world.deploy("--prod").ok()
    assert set(world.state["env"]) == {"GREETING"}


def test_a_stage_whose_values_come_with_each_deploy(world):
    source = (world.root / "paper.py").read_text()
    source = source.replace("previews=True,", 'previews=True, stored_env_stages=("production",),')
    (world.root / "paper.py").write_text(source)
    for verb in (("list",), ("set", "GREETING"), ("unset", "GREETING"), ("sync",), ("diff",)):
        refused = world.run("env", *verb, "--preview")
        refused.failed(2, "stores no variables for preview", "mastra deploy paper --preview")
    world.deploy("--preview").ok()
    assert set(world.state["env"]) == {"GREETING"}
    world.run("env", "list").ok()


def test_settings_from_several_variables_and_other_settings(world):
    assert "plain" in world.deploy("--prod").ok().out
    assert "papers-eu" in world.deploy("--prod", PAPER_DEFAULT_REGION="eu").ok().out


def test_doctor_is_silent_about_optional_credentials(world):
    assert "PAPER_PASS" not in world.run("doctor", "paper").ok().out


def test_doctor_is_silent_about_a_chain_of_credentials_that_the_platform_accepts(world):
    """One of several ways to sign in is enough, as the deployer's own doctor knows."""
    source = (world.root / "paper.py").read_text()
    chain = source.replace('optional_credentials=("PAPER_PASS",),', "")
    (world.root / "paper.py").write_text(chain)
    assert "PAPER_PASS" not in world.run("doctor", "paper").ok().out
    world.write(bend={"problems": [["warning", "Paper is slow."]]})
    done = world.run("doctor", "paper").ok()
    assert "PAPER_PASS" not in done.out and "warning: Paper is slow." in done.out
    without_doctor = chain.replace("@hookimpl\ndef mastra_doctor", "def ask_paper")
    (world.root / "paper.py").write_text(without_doctor)
    assert "There is no value for PAPER_PASS" in world.run("doctor", "paper").ok().out


def test_an_unchanged_deploy_is_skipped_from_any_machine(world):
    skip = ("--prod", "--skip-if-unchanged", "--json")
    assert world.deploy(*skip).ok().json["skipped"] is False
    shutil.rmtree(world.root / ".mastra-local")
    again = world.deploy(*skip).ok().json
    assert again["skipped"] is True and again["deployment"]["id"] == "p1"
    assert world.deploy(*skip, GREETING="other").ok().json["skipped"] is False
    assert world.deploy("--skip-if-unchanged", "--json").ok().json["skipped"] is False
    assert world.deploy("--skip-if-unchanged", "--json").ok().json["skipped"] is True
    branch = ("--branch", "feature", "--skip-if-unchanged", "--json")
    assert world.deploy(*branch).ok().json["skipped"] is False
    known = (world.root / ".mastra-local/deployments.json").read_text() + world.file.read_text()
    assert "hullo-4711" not in known.replace(json.dumps(world.state["env"]), "")


def test_unchanged_compares_with_the_live_deployment(world):
    skip = ("--prod", "--skip-if-unchanged", "--json")
    world.deploy(*skip).ok()
    world.deploy("--prod", GREETING="second").ok()
    done = world.deploy(*skip).ok().json
    assert done["skipped"] is False, "it was there once, and is not what users see"


@pytest.mark.full
def test_a_preview_of_an_aborted_deploy_is_deployed_again(world):
    skip = ("--skip-if-unchanged", "--json")
    world.deploy(*skip).ok()
    assert world.deploy(*skip).ok().json["skipped"] is True
    aborted = {**world.state["deployments"][0], "live": False}
    world.write(deployments=[aborted])
    assert world.deploy(*skip).ok().json["skipped"] is False, "users do not see it"


def test_a_branch_is_a_preview(world):
    done = world.deploy("--branch", "feature", "--message", "a note", "--json").ok().json
    assert done["deployment"]["environment"] == "preview"
    assert (done["deployment"]["branch"], done["deployment"]["message"]) == ("feature", "a note")
    world.deploy("--branch", "feature", "--prod").failed(2, "cannot be combined")
    world.deploy("--prod", "--preview").failed(2, "--prod and --preview cannot be combined")


def test_a_message_that_utf8_cannot_encode_is_stored(world):
    options = ("--branch", "b\udce9", "--message", "caf\udce9")  # the arguments are in latin-1
    done = world.deploy(*options, "--json").ok().json["deployment"]
    assert (done["branch"], done["message"]) == ("b\ufffd", "caf\ufffd")


def test_doctor_runs_before_the_build(world):
    (world.root / INDEX).write_text("import no_such_module\n" + ECHO)
    world.write(bend={"problems": [["error", "The quota is used up."]]})
    url = ("-s", f"url={world.site.url}")
    world.run("deploy", "paper", *url).failed(6, "The quota is used up.", "Ask Paper.")
    world.run("deploy", "paper", *url, PAPER_TOKEN="wrong-8888").failed(7, "does not know")
    assert set(world.state["calls"]) == {"doctor"}
    world.write(bend={"problems": [["warning", "The quota is nearly used up."]]})
    assert "nearly used up" in world.deploy().ok().err


def test_a_dry_run_shows_the_plan_and_deploys_nothing(world):
    done = world.deploy("--dry-run", "--json").ok().json
    assert done["plan"] == {
        "stage": "preview",
        "creates": ["app shop"],
        "changes": [],
        "environment": ["GREETING"],
        "upload": 5,
        "present": 7,
        "notes": ["First."],
    }
    assert set(world.state["calls"]) == {"doctor", "plan"}
    assert "create app shop" in world.deploy("--dry-run").ok().out


def test_deployments_are_listed_newest_first(world):
    assert "no deployment yet" in world.run("deployments").ok().out
    for _ in range(3):
        world.deploy("--prod", "--message", "a note").ok()
    listed = world.run("deployments", "paper", "--limit", "2", "--json").ok().json["deployments"]
    assert [(item["id"], item["live"]) for item in listed] == [("p3", True), ("p2", False)]
    lines = world.run("deployments").ok().out.splitlines()
    assert lines[0].startswith("* p3 ") and "a note" in lines[0]
    assert lines[1].startswith("  p2 ")


def test_promote_rollback_and_canary(world):
    for _ in range(3):
        world.deploy("--prod").ok()
    assert "is live (production, p1)" in world.run("promote", "p1").ok().out
    assert world.run("rollback", "--json").ok().json["deployment"]["id"] == "p3"
    assert world.run("rollback", "p2", "--target", "paper").ok()
    assert world.state["live"][-3:] == ["p1", "p3", "p2"]
    shared = world.run("canary", "p3", "--percent", "10", "--json").ok().json["deployment"]
    assert shared["percent"] == 10
    world.run("canary", "p3", "--percent", "101").failed(2, "101")
    world.run("promote", "nope").failed(6, "'nope'")


def test_logs_since_and_as_json(world):
    world.write(log=[["2026-01-01T10:00:00+00:00", "old"], ["2026-01-02T10:00:00+00:00", "new"]])
    assert [line.split()[-1] for line in world.run("logs").ok().out.splitlines()] == ["old", "new"]
    done = world.run("logs", "--since", "2026-01-02T00:00+00:00", "--json").ok()
    assert done.json == {"time": "2026-01-02T10:00:00+00:00", "level": "info", "text": "new"}
    assert world.run("logs", "--since", "10m").ok().out == ""
    world.run("logs", "--since", "soon").failed(2, "'soon'", "10m")
    world.run("logs", "--follow").failed(3, "the paper is torn")


def test_variables_are_listed_set_unset_and_compared(world):
    assert world.run("env", "list").ok().out == "No variable is set.\n"
    assert "GREETING  required" in world.run("env", "diff").ok().out
    world.run("env", "diff", "--check").failed(2, "GREETING", "mastra env set GREETING")
    done = world.run("env", "set", "GREETING", "OTHER", OTHER="other-4711").ok()
    assert "4711" not in done.out + done.err
    assert world.state["env"] == {"GREETING": "hullo-4711", "OTHER": "other-4711"}
    listed = world.run("env", "list", "--preview", "--json").ok().json
    assert listed["names"] == {"GREETING": "preview", "OTHER": "preview"}
    assert "+ OTHER  not declared" in world.run("env", "diff", "--check").ok().out
    world.run("env", "unset", "OTHER", "NEVER").ok()
    assert list(world.state["env"]) == ["GREETING"]


def test_names_that_the_platform_reserves_are_refused(world):
    values = dict.fromkeys(("GREETING", "SYSTEM_ROLE", "REGION"), "value-4711")
    world.run("env", "set", *values, **values).failed(
        2, "'SYSTEM_ROLE', 'REGION' cannot be set, because 'paper' reserves these names", "SYSTEM_*"
    )
    assert world.state["env"] == {}
    pyproject = world.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('["COLOUR"]', '["SYSTEM_ROLE", "REGIONS"]'))
    reserved = "The environment variable 'SYSTEM_ROLE' is reserved by 'paper'"
    failed = world.run("check", "paper", **values).failed(4, reserved, "SYSTEM_*, REGION")
    assert "'REGIONS' is reserved" not in failed.err
    failed = world.run("env", "sync", **values)
    failed.failed(2, "'SYSTEM_ROLE' cannot be set, because 'paper' reserves this name")


@pytest.mark.parametrize("name", ["OTHER", "REGION"])
@pytest.mark.parametrize("command", ["set", "unset"])
def test_a_value_on_the_command_line_is_not_repeated(world, command, name):
    done = world.run("env", command, f"{name}=value-4711")
    done.failed(2, f"The value of {name!r} is on the command line", "Pass only the name")
    assert "4711" not in done.err + done.out


def test_a_prebuilt_bundle_with_a_name_reserved_since_is_refused(world):
    deployer = world.root / "paper.py"
    deployer.write_text(deployer.read_text().replace('"REGION")', '"COLOUR")'))
    world.deploy().failed(2, "'COLOUR' cannot be set, because 'paper' reserves this name")
    assert world.state["deployments"] == []


def test_variables_are_synced_and_pruned(world):
    world.write(env={"OLD": "x"})
    result = world.run("env", "sync", "--json", COLOUR="red").ok().json
    assert (result["set"], result["unset"]) == (["GREETING", "COLOUR"], [])
    world.run("env", "sync", "--prune").ok()
    assert set(world.state["env"]) == {"GREETING", "COLOUR"}
    world.run("env", "sync", GREETING=None).failed(2, "GREETING")


def test_a_value_on_the_command_line_is_refused_and_not_repeated(world):
    done = world.run("env", "set", "KEY=s3cret-4711").failed(2, "'KEY'", "--stdin")
    assert "s3cret" not in done.err + done.out
    world.run("env", "set", "NOWHERE").failed(2, "'NOWHERE'")


def test_a_destroyed_app_is_deployed_again(world):
    source = (world.root / "paper.py").read_text()
    source = source.replace("@hookimpl\ndef mastra_deployments(", "def list_paper(")
    (world.root / "paper.py").write_text(source)
    skip = ("--prod", "--skip-if-unchanged", "--json")
    world.deploy(*skip).ok()
    assert world.deploy(*skip).ok().json["skipped"] is True
    world.run("destroy", "paper", "--yes").ok()
    assert world.deploy(*skip).ok().json["skipped"] is False


def test_an_app_that_was_deleted_elsewhere_is_deployed_again(world):
    source = (world.root / "paper.py").read_text()
    source = source.replace("@hookimpl\ndef mastra_deployments(", "def list_paper(")
    (world.root / "paper.py").write_text(source)
    skip = ("--prod", "--skip-if-unchanged", "--json")
    world.deploy(*skip).ok()
    world.write(deployments=[], live=[])
    assert world.run("destroy", "paper", "--yes", "--json").ok().json["destroyed"] is False
    assert world.deploy(*skip).ok().json["skipped"] is False


def test_a_deploy_without_wait_takes_a_change_of_variables(world):
    world.write(bend={"effect": "next-deploy"})
    world.run("env", "set", "OTHER", OTHER="x").ok()
    world.deploy("--prod", "--no-wait").ok()
    record = world.root / ".mastra-local/variable-changes.json"
    assert json.loads(record.read_text()) == {}


def test_each_environment_has_records_of_its_own(world):
    source = (world.root / "paper.py").read_text()
    source = source.replace("@hookimpl\ndef mastra_deployments(", "def list_paper(")
    (world.root / "paper.py").write_text(source)
    config = world.root / "pyproject.toml"
    config.write_text(config.read_text() + '[tool.mastra.targets.paper.env.staging]\nfile = "s"\n')
    empty = {"deployments": [], "live": [], "env": {}, "log": [], "calls": [], "bend": {}}
    (world.root / "s").write_text(json.dumps(empty))
    world.deploy("--prod").ok()
    world.run("destroy", "paper", "--env", "staging", "--yes").ok()
    assert "p1" in world.run("deployments", "paper").ok().out
    assert "p1" not in world.run("deployments", "paper", "--env", "staging").ok().out


def test_destroy_asks_first(world):
    world.deploy("--prod").ok()
    world.run("destroy", "paper").failed(2, "--yes")
    assert world.state["deployments"]
    assert world.run("destroy", "paper", "--yes", "--json").ok().json["destroyed"] is True
    assert world.run("destroy", "paper", "--yes", "--json").ok().json["destroyed"] is False


def test_doctor_reports_what_prevents_a_deploy(world):
    assert "can begin" in world.run("doctor", "paper").ok().out
    world.run("doctor", PAPER_TOKEN="wrong").failed(7, "does not know this token")
    world.run("doctor", GREETING=None).failed(6, "GREETING")
    wrong = world.run("doctor", PAPER_TOKEN="wrong", GREETING=None)
    wrong.failed(6, "GREETING", "does not know this token")


def test_preview_exits_with_the_code_of_the_bundle(world):
    done = world.run("preview", "paper", "--prebuilt", world.bundle, "--port", "4000")
    assert done.code == 3
    assert "preview of mastra.index:mastra on 127.0.0.1:4000 with ['GREETING']" in done.err


def test_missing_hook_is_reported_at_once(world):
    source = (world.root / "paper.py").read_text()
    for verb in ("promote", "canary", "logs", "env", "destroy", "preview", "rollback"):
        source = source.replace(f"def mastra_{verb}(", f"def _{verb}(")
    (world.root / "paper.py").write_text(source.replace("@hookimpl\ndef _", "def _"))
    for command in (
        "promote x",
        "canary x --percent 1",
        "logs",
        "env list",
        "destroy paper --yes",
        "preview",
        "rollback",
    ):
        world.run(*command.split()).failed(2, "'paper' does not support", "mastra targets")


def test_an_error_for_a_missing_hook_has_the_alternative_of_the_target(world):
    source = (world.root / "paper.py").read_text()
    source = source.replace("def mastra_canary(", "def _canary(").replace(
        "@hookimpl\ndef _", "def _"
    )
    alternative = 'alternatives={"canary": "Use two drawers."}, settings='
    (world.root / "paper.py").write_text(source.replace("settings=", alternative, 1))
    world.run("canary", "x", "--percent", "1").failed(2, "'paper' does not support", "two drawers")


def test_output_never_contains_the_token(world):
    for command in ("deployments", "doctor", "env list", "logs", "deploy paper --prebuilt out -v"):
        done = world.run(*command.split(), "-s", f"url={world.site.url}", "--json")
        assert TOKEN not in done.out + done.err
        assert "hullo-4711" not in done.out + done.err


@pytest.mark.parametrize(
    ("call", "bend", "arguments", "sentences"),
    [
        ("doctor", {}, ["--prod"], ["Nothing on the platform has changed", "same command again"]),
        ("deployments", {}, ["--prod", "--skip-if-unchanged"], ["Nothing on the platform"]),
        ("plan", {}, ["--prod", "--dry-run"], ["Nothing on the platform has changed"]),
        ("deploy", {}, ["--prod"], ["either the previous deployment or the complete new one"]),
        ("upload", {}, ["--prod"], ["either the previous", "are not sent again"]),
        (
            "test",
            {},
            ["--prod"],
            ["Users see p2, but it is not tested", "mastra rollback --target"],
        ),
        ("test", {}, [], ["The preview p2 is deployed, but not tested", "It is at http://"]),
        (
            "test",
            {"drafts": "ready"},
            ["--prod"],
            ["p2 is a draft", "still see the previous", "mastra promote p2 --target paper"],
        ),
        (
            "promote",
            {"drafts": "ready"},
            ["--prod"],
            ["either p2 or the deployment that was live until now", "mastra promote p2 --target"],
        ),
    ],
)
def test_an_interrupt_says_what_is_live(world, call, bend, arguments, sentences):
    world.deploy("--prod").ok()
    world.write(bend={**bend, "interrupt": call})
    done = world.deploy(*arguments)
    output = " ".join(done.err.split())
    assert (done.code, done.out) == (130, "") and "Traceback" not in output, output
    assert "note: Interrupted." in output, output
    assert [text for text in sentences if text not in output] == [], output
    done = world.deploy(*arguments, "--json")
    assert done.code == done.json["error"]["exit_code"] == 130
    assert done.json["error"]["message"].startswith("Interrupted.")
    assert ("deployment" in done.json) is (call in ("test", "promote"))
    world.write(bend=bend)
    world.deploy(*arguments).ok()


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_says_what_is_live_as_ctrl_c_does(world, signal, code):
    world.deploy("--prod").ok()
    world.write(bend={"interrupt": "test", "signal": signal})
    done = world.deploy("--prod")
    assert (done.code, done.out) == (code, "") and "Traceback" not in done.err
    assert "note: Interrupted. Users see p2, but it is not tested." in done.err
    done = world.deploy("--prod", "--json")
    assert done.code == done.json["error"]["exit_code"] == code
    assert done.json["deployment"]["id"] == "p3"


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("arguments", "call", "message", "hint"),
    [
        ("promote p1", "promote", "Users see either p1 or the deployment that", "same command"),
        ("rollback p1", "rollback", "Users see either p1 or the deployment that", "same command"),
        ("rollback", "rollback", "Users see either the previous", "mastra deployments paper"),
        ("canary p1 --percent 20", "canary", "p1 gets either 20 % of", "Run the same command"),
        ("env set COLOUR", "set", "Some of the variables may already", "Run the same command"),
        ("destroy paper -y", "destroy", "A part of the app may already be", "remove the rest"),
    ],
)
def test_an_interrupted_change_says_what_users_see(world, arguments, call, message, hint, signal):
    for _ in range(2):
        world.deploy("--prod").ok()
    world.write(bend={"interrupt": call, "signal": signal})
    code = 130 if signal == "SIGINT" else 143
    done = world.run(*arguments.split(), COLOUR="red")
    assert (done.code, done.out) == (code, ""), done.err
    assert f"note: Interrupted. {message}" in done.err and hint in done.err
    done = world.run(*arguments.split(), "--json", COLOUR="red")
    error = done.json["error"]
    assert done.code == error["exit_code"] == code
    assert error["type"] == "DeployInterrupt" and hint in error["hint"]


def test_an_interrupted_command_that_changes_nothing_prints_only_json(world):
    world.write(bend={"interrupt": "deployments", "signal": "SIGTERM"})
    done = world.run("deployments")
    assert (done.code, done.out, done.err) == (143, "", "")
    error = world.run("deployments", "--json").json["error"]
    assert (error["type"], error["exit_code"]) == ("Interrupt", 143)
    world.write(bend={"interrupt": "logs"})
    done = world.run("logs", "--follow", "--json")
    assert (done.code, done.out) == (130, "")  # Ctrl-C is the usual end


@pytest.mark.parametrize("call", ["deployments", "deploy"])
def test_a_broken_connection_of_a_hook_is_an_error(world, call):
    """click treats each broken pipe as one of standard output, and prints nothing."""
    world.write(bend={"broken": call})
    done = world.deploy("--prod") if call == "deploy" else world.run(call)
    done.failed(1, "error: A connection was lost: Broken pipe.", "Check the network")


def test_an_interrupt_repeats_no_secret(world):
    world.write(bend={"interrupt": "test"})
    for option in ([], ["--json"]):
        done = world.deploy("-s", f"url={world.site.url}/{TOKEN}", *option)
        assert done.code == 130
        output = done.json["error"]["hint"] if option else done.err
        assert "/****" in output and TOKEN not in output


def test_an_interrupted_rollback_says_what_is_live(world):
    world.deploy("--prod").ok()
    world.write(bend={"interrupt": "rollback"})
    world.site.statuses = [500]
    done = world.deploy("--prod", "--rollback-on-failure")
    output = " ".join(done.err.split())
    assert done.code == 130 and "Users see either p1 or the deployment that was live" in output
    assert "mastra rollback p1 --target paper" in output
