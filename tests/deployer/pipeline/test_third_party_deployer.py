"""The example deployer against its platform over HTTP, by the command line."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.files import find_text
from tests.repository import EXAMPLES
from tests.sample_projects import STARLETTE, write_project

pytestmark = pytest.mark.slow

sys.path.insert(0, str(EXAMPLES / "mastra-deployer-acme"))

INDEX = "src/mastra/index.py"
TOKEN = "acme-token-4711"


@pytest.fixture
def acme(tmp_path):
    from acme_platform import Acme

    platform = Acme(tmp_path / "acme", TOKEN)
    thread = threading.Thread(target=platform.serve_forever)
    thread.start()
    yield platform
    platform.stop()
    thread.join()


@pytest.fixture
def deploy(acme, mastra):
    def run(root, *arguments, token=TOKEN, **environment):
        known = {"ACME_API_URL": acme.url, "ACME_TOKEN": token, **environment}
        known = {name: value for name, value in known.items() if value}
        return mastra("deploy", *arguments, cwd=root, **known)

    return run


@pytest.fixture(scope="module")
def bundled_project(tmp_path_factory, mastra):
    """A small project and its bundle, built once for tests that only deploy."""
    directory = tmp_path_factory.mktemp("acme")
    root = write_project(directory / "app", {"main.py": STARLETTE}, dependencies=("starlette",))
    options = ("--app", "main:app", "-s", "app=shop", "-o", root / "out")
    mastra("bundle", "acme", *options, cwd=root).ok()
    return root


@pytest.fixture
def deploy_bundle(deploy, bundled_project):
    """Deploy that bundle."""

    def run(*arguments, **environment):
        options = ("acme", "-s", "app=shop", "--prebuilt", "out", *arguments)
        return deploy(bundled_project, *options, **environment)

    return run


def ask_agent(deployment, text="hi"):
    answer = httpx.post(
        f"{deployment['url']}/api/agents/echo/generate", json={"messages": text}, trust_env=False
    )
    return answer.json()["text"]


def get_home(deployment):
    return httpx.get(deployment["url"], trust_env=False).text


def test_a_deploy_is_live_and_a_second_one_sends_nothing(acme, deploy, project, echo):
    root = project({INDEX: echo})
    first = deploy(root, "acme", "-s", "app=shop", "--prod", "--json").ok().json["deployment"]
    assert first["live"] and first["environment"] == "production"
    assert ask_agent(first) == "echo: hi"
    sent = [line for line in acme.requests if line.startswith("PUT /blobs")]
    assert len(sent) == len(set(sent)) > 100
    acme.requests.clear()
    again = deploy(root, "acme", "-s", "app=shop", "--prod", "--json").ok().json["deployment"]
    assert not [line for line in acme.requests if line.startswith("PUT /blobs")]
    assert again["id"] == first["id"]
    assert ask_agent(again) == "echo: hi"


def test_deployer_in_the_entry_file_is_found_and_does_not_ship(acme, deploy, project, echo):
    source = (
        "from mastra_core import Secret\n"
        "from mastra_deployer_acme import AcmeDeployer\n"
        + echo.replace(
            "logger=", "deployer=AcmeDeployer(app='shop', token=Secret.env('MY')), logger="
        )
    )
    root = project({INDEX: source}, dependencies=("mastra-core", "mastra-deployer-acme"))
    done = deploy(root, "--preview", "--json", token="", MY=TOKEN).ok()
    assert ask_agent(done.json["deployment"]) == "echo: hi"
    shipped = (root / ".mastra-local/bundles/acme/app/src/mastra/index.py").read_text()
    assert "AcmeDeployer" not in shipped and "MY" not in shipped
    assert shipped.count("\n") == source.count("\n")
    vendored = {path.name for path in (root / ".mastra-local/bundles/acme/vendor").iterdir()}
    assert not {"mastra_deployer", "mastra_deployer_acme", "stamina"} & vendored


@pytest.mark.full
def test_a_token_in_the_source_is_warned_about_and_does_not_ship(deploy, project, echo):
    source = "from mastra_deployer_acme import AcmeDeployer\n" + echo.replace(
        "logger=", f"deployer=AcmeDeployer(app='shop', token='{TOKEN}'), logger="
    )
    root = project({INDEX: source})
    done = deploy(root, token="").ok()
    assert "in plain text" in done.err
    assert TOKEN not in done.err + done.out
    assert not find_text(root / ".mastra-local", TOKEN)


def test_values_of_declared_variables_reach_the_app_and_nothing_else(deploy, project):
    source = "import os\n" + STARLETTE.replace('"nobody"', 'os.environ["GREETING"]')
    config = '[tool.mastra.env]\nrequired = ["GREETING"]\n'
    files = {"main.py": source, ".env": "GREETING=hullo-4711\nOTHER=no\n"}
    root = project(files, config, dependencies=("starlette",))
    options = ("--app", "main:app", "-s", "app=env", "--prod", "--json")
    done = deploy(root, "acme", *options).ok()
    assert get_home(done.json["deployment"]) == "hullo-4711"
    assert "hullo-4711" not in done.out + done.err
    assert not find_text(root / ".mastra-local", "hullo-4711")


@pytest.mark.full
def test_prebuilt_deploys_the_given_bundle(acme, deploy, project, mastra, echo):
    root = project({INDEX: echo})
    out = root / "out"
    mastra("bundle", "acme", "-s", "app=shop", "-o", out, cwd=root).ok()
    (root / INDEX).write_text(echo.replace("echo:", "changed:"))
    done = deploy(root, "acme", "-s", "app=shop", "--prebuilt", out, "--json").ok()
    assert ask_agent(done.json["deployment"]) == "echo: hi"
    (out / "app/src/mastra/index.py").write_text("tampered")
    deploy(root, "acme", "-s", "app=shop", "--prebuilt", out).failed(5, "was changed after")
    mastra("build", cwd=root).ok()
    deploy(root, "acme", "-s", "app=shop", "--prebuilt", root / ".mastra").failed(
        5, "is for 'server'"
    )


def test_a_dry_run_changes_nothing(acme, deploy_bundle):
    done = deploy_bundle("--dry-run", "--json").ok()
    assert done.json["plan"]["upload"] > 1_000_000
    assert acme.requests == []


def test_a_missing_and_a_wrong_token(acme, deploy_bundle):
    deploy_bundle(token="").failed(7, "ACME_TOKEN is not set")
    done = deploy_bundle(token="wrong-8888").failed(7, "the token is not known here")
    assert "wrong-8888" not in done.err
    assert acme.running == {}


@pytest.mark.full  # tests/deployer/kit/http repeats requests too
def test_requests_to_a_busy_platform_are_repeated(acme, deploy_bundle):
    acme.broken_uploads = 3
    done = deploy_bundle("--json").ok()
    assert get_home(done.json["deployment"]) == "nobody"


def test_a_platform_that_cannot_be_reached(deploy_bundle):
    deploy_bundle(ACME_API_URL="http://127.0.0.1:9").failed(8, "cannot be reached", "same command")


def test_a_token_never_goes_over_plain_http(deploy_bundle):
    deploy_bundle(ACME_API_URL="http://acme.example").failed(2, "without encryption", "https")


def test_a_killed_deploy_is_continued(acme, deploy_bundle, bundled_project):
    acme.broken_uploads = 10**9
    killed = _kill_deploy(bundled_project, acme)
    assert killed != 0
    assert acme.running == {}, "nothing is live"
    acme.broken_uploads = 0
    before = {path.name for path in (acme.directory / "blobs").iterdir()}
    acme.requests.clear()
    done = deploy_bundle("--json").ok()
    assert get_home(done.json["deployment"]) == "nobody"
    sent = [line.split()[1] for line in acme.requests if line.startswith("PUT /blobs")]
    names = {path.rpartition("/")[2] for path in sent}
    assert sent and len(names) == len(sent), "a file was sent twice"
    assert not names & before, "a file that the platform has was sent again"


@pytest.mark.full
def test_an_interrupted_deploy_is_continued(acme, deploy_bundle, bundled_project):
    acme.broken_uploads = 10**9
    code, stderr = _stop_deploy(bundled_project, acme, signal.SIGINT)
    assert code == 130
    assert "Interrupted." in stderr and "same command again" in stderr and "Traceback" not in stderr
    assert acme.running == {}, "nothing is live"
    acme.broken_uploads = 0
    done = deploy_bundle("--json").ok()
    assert get_home(done.json["deployment"]) == "nobody"


def _kill_deploy(root, acme):
    return _stop_deploy(root, acme, signal.SIGKILL)[0]


def _stop_deploy(root, acme, signum):
    command = [str(Path(sys.executable).with_name("mastra")), "deploy", "acme", "-s", "app=shop"]
    process = subprocess.Popen(
        [*command, "--prebuilt", "out"],
        cwd=root,
        env={**os.environ, "ACME_API_URL": acme.url, "ACME_TOKEN": TOKEN},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while not any(line.startswith("PUT /blobs") for line in acme.requests):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signum)
    stderr = process.communicate(timeout=60)[1]
    for thread in threading.enumerate():  # the platform still works on requests of the process
        if "process_request_thread" in thread.name:
            thread.join(30)
    return process.returncode, stderr


def test_targets_lists_the_commands_of_acme(mastra, project, echo):
    config = '[tool.mastra.targets.eu]\ndeployer = "acme"\napp = "shop-eu"\n'
    done = mastra("targets", "--json", cwd=project({INDEX: echo}, config)).ok().json
    acme = next(item for item in done["installed"] if item["name"] == "acme")
    assert acme["verbs"] == ["deploy", "deployments"]
    assert done["configured"] == {"eu": "acme"}


@pytest.mark.full
def test_a_configured_target_with_an_overlay(acme, deploy, project, echo):
    config = (
        '[tool.mastra.targets.eu]\ndeployer = "acme"\napp = "shop"\n'
        '[tool.mastra.targets.eu.env.staging]\napp = "shop-staging"\n'
    )
    root = project({INDEX: echo}, config)
    deploy(root, "eu", "--env", "staging").ok()
    assert [name for name, _ in acme.running] == ["shop-staging"]
    deploy(root, "eu", "--env", "stagin").failed(2, "'stagin'", "Did you mean 'staging'?")
