"""Commands in a checkout of somebody else: no credential leaves for a host that it chose."""

import base64
import dataclasses
import json
import os
import pty
import select
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mastra_core.errors import ConsentError
from mastra_deployer.cli.main import main
from mastra_deployer.plugins.manager import list_installed_deployers
from mastra_deployer.trust.host_names import format_host, parse_host
from mastra_deployer.trust.host_policy import HostPolicy, require_consent, set_host_policy
from tests.deployer.attacks.verbs import PLATFORM_COMMANDS, build_arguments, list_commands
from tests.repository import TESTS
from tests.sample_projects import ECHO, write_project
from tests.scripted_server import serve

INDEX = "src/mastra/index.py"
SECRET = "secret-of-the-user-1"
BASIC = base64.b64encode(f"user:{SECRET}".encode()).decode()


@dataclasses.dataclass(frozen=True)
class Deployer:
    """What the tests need to know about a deployer; `settings` are its required ones."""

    settings: dict
    address: str  # the variable with the address of its API
    credentials: dict
    call: str  # its settings class


DEPLOYERS = {
    "acme": Deployer(
        {"app": "shop"}, "ACME_API_URL", {"ACME_TOKEN": SECRET}, "mastra_deployer_acme.AcmeDeployer"
    ),
    "cloudflare": Deployer(
        {"project_name": "shop", "scope": "0" * 32},
        "CLOUDFLARE_API_BASE_URL",
        {"CLOUDFLARE_API_TOKEN": SECRET},
        "mastra_deployer_cloudflare.CloudflareDeployer",
    ),
    "vercel": Deployer(
        {"project_name": "shop"},
        "VERCEL_API_URL",
        {"VERCEL_TOKEN": SECRET},
        "mastra_deployer_vercel.VercelDeployer",
    ),
    "netlify": Deployer(
        {"project_name": "shop"},
        "NETLIFY_API_URL",
        {"NETLIFY_AUTH_TOKEN": SECRET},
        "mastra_deployer_netlify.NetlifyDeployer",
    ),
    "oci": Deployer(
        {"image": "registry.example/team/shop", "base": "scratch+python"},
        "OCI_REGISTRY_URL",
        {"OCI_USERNAME": "user", "OCI_PASSWORD": SECRET},
        "mastra_deployer_oci.OciDeployer",
    ),
    "fly-io": Deployer(  # as `mastra new deployer fly-io` writes it
        {"app": "shop"},
        "FLY_IO_API_URL",
        {"FLY_IO_TOKEN": SECRET},
        "mastra_deployer_fly_io.FlyIoDeployer",
    ),
}


def answer_empty(request):
    """Ask for a login first, as a registry does; then say that there is nothing."""
    if request.headers.get("authorization") is None:
        return 401, {"www-authenticate": "Basic"}, {}
    return 404, {}, {"message": "nothing here"}


@pytest.fixture
def attacker():
    with serve(answer_empty) as server:
        yield server


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A directory on sys.path with the package of `mastra new deployer fly-io`."""
    site = tmp_path_factory.mktemp("site")
    with pytest.raises(SystemExit):
        main(["new", "deployer", str(site / "fly-io")])
    shutil.move(site / "mastra-deployer-fly-io/src/mastra_deployer_fly_io", site)
    info = site / "mastra_deployer_fly_io-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: mastra-deployer-fly-io\nVersion: 1\n"
    )
    entry = "[mastra.deployers]\nfly-io = mastra_deployer_fly_io.hooks\n"
    (info / "entry_points.txt").write_text(entry)
    return site


@pytest.fixture
def user(tmp_path, monkeypatch, generated):
    """A user with stored logins, credentials in the environment, and no trust."""
    monkeypatch.syspath_prepend(generated)
    for name in ("MASTRA_TRUST", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for deployer in DEPLOYERS.values():
        monkeypatch.delenv(deployer.address, raising=False)
        for name, value in deployer.credentials.items():
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("GREETING", "hello")
    monkeypatch.setenv("MASTRA_CONFIG_DIR", str(tmp_path / "config"))
    yield monkeypatch
    set_host_policy(None)


def quote(value):
    return json.dumps(value)


@pytest.fixture
def checkout(tmp_path, user):
    """`checkout(target, settings)` writes a foreign checkout and enters it."""

    def write(target, settings=None, index=ECHO, **files):
        table = {**DEPLOYERS[target].settings, **(settings or {})}
        lines = [f"{name} = {quote(value)}" for name, value in table.items()]
        config = "\n".join([f'[tool.mastra.targets."{target}"]', *lines, ""])
        config += '[tool.mastra.env]\noptional = ["GREETING"]\n'
        root = write_project(tmp_path / "checkout", {INDEX: index, **files}, config)
        user.chdir(root)
        return root

    return write


class Outcome:
    def __init__(self, code, captured):
        self.code, self.out, self.err = code, captured.out, captured.err


@pytest.fixture
def run(capsys):
    """Run a command in this process, and return its exit code and its output."""

    def run_command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        return Outcome(ended.value.code or 0, capsys.readouterr())

    return run_command


def received_credentials(server):
    texts = [json.dumps(each) for each in server.headers]
    texts += [body.decode("latin-1") for body in server.bodies] + [
        path for _, path, _ in server.seen
    ]
    return any(SECRET in text or BASIC in text for text in texts)


def supports(target, words):
    from mastra_deployer.plugins.hook_calls import HookCaller

    return HookCaller(target, Path.cwd()).has_hook(words[0])


def test_every_installed_deployer_is_tried(user):
    assert set(list_installed_deployers()) - {"server"} == set(DEPLOYERS)


def test_every_verb_of_the_platform_is_tried():
    assert {"deployments", "doctor", "logs", "rollback", "env list"} <= set(PLATFORM_COMMANDS)
    names = {" ".join(words) for words, _ in list_commands()}
    others = "build bundle check deploy preview dev start studio targets trust".split()
    others += [f"db {verb}" for verb in ("migrate", "status")]
    others += [f"runs {verb}" for verb in "cancel fingerprints list move resume retry show".split()]
    assert {name for name in names - set(PLATFORM_COMMANDS) if "new" not in name} == set(others)


@pytest.mark.parametrize("target", sorted(DEPLOYERS))
@pytest.mark.parametrize("verb", sorted(PLATFORM_COMMANDS))
def test_an_address_in_the_checkout_gets_nothing(checkout, attacker, run, target, verb):
    words, command = PLATFORM_COMMANDS[verb]
    checkout(target, {"api_url": attacker.url})
    arguments = build_arguments(words, command, target)
    done = run(*arguments)
    assert attacker.seen == []
    if done.code == 2:  # an unsupported command is refused before the settings are read
        assert "does not support" in done.err and not supports(target, words), done.err
        return
    host = format_host(attacker.url)
    assert done.code == ConsentError.exit_code == 11, done.err
    assert f"'{host}' (api_url)" in done.err and f"mastra trust {host}" in done.err
    # The honest case: the user names the same address.
    done = run(*arguments, "-s", f"api_url={attacker.url}")
    assert done.code != 11, done.err
    assert received_credentials(attacker) == supports(target, words), done.err


@pytest.mark.parametrize("target", sorted(DEPLOYERS))
def test_a_deploy_asks_before_it_builds(checkout, attacker, run, target):
    root = checkout(target, {"api_url": attacker.url})
    done = run("deploy", target, "--prod")
    assert (done.code, attacker.seen) == (11, []), done.err
    assert not (root / ".mastra-local/bundles").exists()


SOURCES = ["pyproject", "overlay", "entry", "entry with a default", ".env", "--env-file"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", sorted(DEPLOYERS))
def test_no_file_of_the_checkout_gives_consent(checkout, attacker, run, target, source):
    deployer, arguments, table, index = DEPLOYERS[target], ["doctor", target], {}, ECHO
    module, _, name = deployer.call.rpartition(".")
    if source == "pyproject":
        table = {"api_url": attacker.url}
    elif source.startswith("entry"):
        value = f'os.environ.get("UNSET", {quote(attacker.url)})' if "with" in source else None
        settings = ", ".join(f"{key}={quote(text)}" for key, text in deployer.settings.items())
        index = f"import os\nfrom {module} import {name}\n{ECHO}".replace(
            "Mastra(",
            f"Mastra(deployer={name}({settings}, api_url={value or quote(attacker.url)}), ",
            1,
        ).replace("from mastra_core import Mastra(", "from mastra_core import Mastra(")
    variables = {".env": f"{deployer.address}={attacker.url}\nMASTRA_TRUST={attacker.url[7:]}\n"}
    file = {".env": ".env", "--env-file": "prod.env"}.get(source)
    files = {file: variables[".env"]} if file else {}
    root = checkout(target, table, index, **files)
    if source == "overlay":
        with (root / "pyproject.toml").open("a") as config:
            config.write(
                f'[tool.mastra.targets."{target}".env.eu]\napi_url = {quote(attacker.url)}\n'
            )
        arguments += ["--env", "eu"]
    if source == "--env-file":
        arguments += ["--env-file", "prod.env"]
    done = run(*arguments)
    assert (done.code, attacker.seen) == (11, []), done.err


CONSENTS = ["-s", "variable", "MASTRA_TRUST", "mastra trust", "own env file"]


@pytest.mark.parametrize("consent", CONSENTS)
def test_each_consent_of_the_user_works(checkout, attacker, run, user, tmp_path, consent):
    arguments, host = ["doctor", "vercel"], format_host(attacker.url)
    checkout("vercel", {} if consent in ("variable", "own env file") else {"api_url": attacker.url})
    if consent == "-s":
        arguments += ["-s", f"api_url={attacker.url}"]
    elif consent == "variable":
        user.setenv("VERCEL_API_URL", attacker.url)
    elif consent == "MASTRA_TRUST":
        user.setenv("MASTRA_TRUST", f"other.example {host}")
    elif consent == "mastra trust":
        assert run("trust", host).code == 0
    else:
        (tmp_path / "own.env").write_text(f"VERCEL_API_URL={attacker.url}\n")
        arguments += ["--env-file", tmp_path / "own.env"]
    done = run(*arguments)
    assert received_credentials(attacker), done.err
    assert f"Sending credentials to {host}" in done.err
    if consent == "mastra trust":
        assert run("trust", "--remove", host).code == 0
        assert run(*arguments).code == 11


def test_trust_in_one_host_is_not_trust_in_another(checkout, attacker, run, user):
    user.setenv("MASTRA_TRUST", "127.0.0.1 localhost 127.0.0.1:1")
    checkout("vercel", {"api_url": attacker.url})
    assert run("doctor", "vercel").code == 11
    assert attacker.seen == []


def write_docker_login(user, directory, host):
    directory.mkdir()
    auths = {host: {"auth": BASIC}}
    (directory / "config.json").write_text(json.dumps({"auths": auths}))
    user.setenv("DOCKER_CONFIG", str(directory))
    for name in ("OCI_USERNAME", "OCI_PASSWORD"):
        user.delenv(name)


@pytest.mark.parametrize("verb", sorted(PLATFORM_COMMANDS))
def test_a_stored_login_goes_to_its_own_host_only(checkout, attacker, run, user, tmp_path, verb):
    """The login is looked up by the host that is asked, also where the user named that host."""
    words, command = PLATFORM_COMMANDS[verb]
    checkout("oci")
    write_docker_login(user, tmp_path / "docker", "registry.example")
    arguments = build_arguments(words, command, "oci")
    run(*arguments, "-s", f"api_url={attacker.url}")
    assert supports("oci", words) == (attacker.seen != [])
    assert not received_credentials(attacker)


def test_a_stored_login_needs_no_consent(checkout, attacker, run, user, tmp_path):
    host = attacker.url.removeprefix("http://")
    checkout("oci", {"image": f"{host}/team/shop"})
    write_docker_login(user, tmp_path / "docker", host)
    done = run("deployments", "oci")
    assert received_credentials(attacker), done.err
    assert f"Sending credentials to {host}" in done.err


def test_a_registry_of_the_checkout_gets_no_password_of_the_environment(
    checkout, attacker, run, user
):
    host = attacker.url.removeprefix("http://")
    checkout("oci", {"image": f"{host}/team/shop"})
    done = run("deployments", "oci")
    assert (done.code, attacker.seen) == (11, []), done.err
    assert "(image)" in done.err
    user.setenv("MASTRA_TRUST", host)
    run("deployments", "oci")
    assert received_credentials(attacker)


def test_a_deployer_that_builds_the_address_itself_is_covered():
    values = {"account": "evil.example/x?", "domain": "corp.example", "image": "Hub.Example/app"}
    policy = HostPolicy(values, None, lambda host: None)
    for url in (
        "https://evil.example/x?.platform.example",
        "https://api.corp.example/v1",
        "https://hub.example",
        "https://HUB.example.:443/v2",
        "https://user@evil.example",
    ):
        with pytest.raises(ConsentError):
            policy.check(url)
    for url in ("https://api.platform.example", "https://corp.example.platform.example"):
        policy.check(url)


NAMED_HOSTS = [
    ("evil:5000/x/y", "https://{}"),
    ("2130706433:5000/x/y", "https://{}"),
    ("0x7f000001:5000/x", "https://{}"),
    ("evil/x", "https://{}"),
    ("https://evil/x", "{}"),
    ("x@evil:5000/", "https://{}"),
    ("a b evil:5000/x", "https://evil:5000"),
    ("evil:5000/x", "https://api.{}"),
    ("evil:5000/x", "https://api-{}"),
    ("evil\u3002com/team/app", "https://{}"),
    ("evil\uff0ecom/x", "https://{}"),
    ("EVIL.com./x", "https://{}"),
    ("ev\u0131l.com/x", "https://{}"),
    ("xn--evl-kua.com/x", "https://ev\u0131l.com"),
    ("\u0915\u094d\u200d\u0937.com/x", "https://{}"),
    ("\u0316.evil.com/x", "https://x{}"),
    ("x.evil.com/", "https://api-{}.platform.example"),
    ("\u00e9vil.com/", "https://api-{}"),
    ("-x.evil.com?", "https://api{}.platform.example"),
    ("evil%2ecom/x", "https://{}"),
    ("[::1]:5000/x", "https://{}"),
    ("::1", "https://[{}]:5000/"),
]


@pytest.mark.parametrize(("text", "address"), NAMED_HOSTS)
def test_every_host_that_a_text_names_needs_consent(user, text, address):
    from mastra_core.errors import ConfigError

    shown = []
    policy = HostPolicy({"image": text}, None, shown.append)
    set_host_policy(policy)
    with pytest.raises((ConsentError, ConfigError)):
        require_consent(address.format(text))
    assert shown == []


def test_ordinary_settings_name_no_host(user):
    texts = [
        "shop",
        "team/shop",
        "python:3.11-slim",
        "vercel",
        "eu:west",
        "app/com",
        "api/m",
        "v1.0",
    ]
    values = {str(number): text for number, text in enumerate(texts)}
    policy = HostPolicy(values, None, lambda host: None)
    for url in (
        "https://api.vercel.com/v1",
        "https://shop.platform.example",
        "https://west.example",
    ):
        policy.check(url)
    user.setenv("MASTRA_TRUST", "evil.example api.evil")
    policy = HostPolicy({"a": "evil.example/x", "b": "evil:80/x"}, None, lambda host: None)
    for url in ("https://evil.example", "https://api.evil.example/v1", "https://api.evil"):
        policy.check(url)
    for url in ("https://api-evil.example", "https://evil:5000", "https://api-evil"):
        with pytest.raises(ConsentError):
            policy.check(url)


@pytest.mark.parametrize("image", ["2130706433:PORT/team/shop", "0x7f000001:PORT/team/shop"])
def test_a_number_as_registry_gets_no_password(checkout, attacker, run, image):
    checkout("oci", {"image": image.replace("PORT", attacker.url.rpartition(":")[2])})
    done = run("deployments", "oci")
    assert (done.code, attacker.seen) == (11, []), done.err
    assert "Sending credentials" not in done.err


def test_letters_that_look_alike_are_shown_encoded():
    assert format_host("https://\u0430pi.vercel.com/x") == "xn--pi-6kc.vercel.com"
    assert parse_host("https://API.example:443/x") == "api.example"
    assert parse_host("localhost:5000") == "localhost:5000"


def test_a_deployer_without_a_command_may_connect_anywhere():
    set_host_policy(None)
    require_consent("https://any.example")


CANARY = "import os, pathlib\npathlib.Path(os.environ['CANARY']).write_text(__file__)\n"


def plant_code(root):
    """Put code into each place of a checkout that a tool may run by itself."""
    for name in ("click.py", "sitecustomize.py", "usercustomize.py", "mastra_deployer_evil.py"):
        (root / name).write_text(CANARY)
    for info, group in (("a", "mastra.plugins"), ("b", "mastra.deployers")):
        directory = root / f"evil_{info}-1.dist-info"
        directory.mkdir()
        (directory / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: evil-{info}\nVersion: 1\n"
        )
        (directory / "entry_points.txt").write_text(f"[{group}]\nacme = mastra_deployer_evil\n")
    script = f'#!/bin/sh\necho run > "$CANARY"\nexec {sys.executable} "$@"\n'
    programs = [root / ".venv/bin/python", root / "git", root / "docker-credential-evil"]
    programs += [root / "uv", root / ".venv/bin/git"]
    for program in programs:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (root / ".venv/pyvenv.cfg").write_text("home = /usr/bin\n")
    (root / "uv.toml").write_text('python-preference = "system"\n')
    (root / INDEX).write_text(CANARY + ECHO)
    (root / "src/mastra/__init__.py").write_text(CANARY)


@pytest.mark.parametrize("verb", [*sorted(PLATFORM_COMMANDS), "targets"])
def test_no_code_of_the_checkout_runs(checkout, mastra, attacker, tmp_path, verb):
    canary = tmp_path / "canary"
    root = checkout("acme")
    plant_code(root)
    words, command = PLATFORM_COMMANDS.get(verb, (("targets",), None))
    arguments = build_arguments(words, command, "acme") if command else words
    environment = {"CANARY": str(canary), "ACME_API_URL": attacker.url}
    done = mastra(*arguments, cwd=root, **environment)
    assert not canary.exists(), canary.read_text()
    assert "Traceback" not in done.err
    if verb in ("deployments", "targets"):
        assert (verb == "targets") == (attacker.seen == []), done.err


@pytest.mark.parametrize("verb", [*sorted(PLATFORM_COMMANDS), "targets", "new ci github"])
def test_a_deployer_in_the_checkout_runs_only_with_trust(
    project, run, user, tmp_path, verb, monkeypatch
):
    config = '[tool.mastra.targets.paper]\ndeployer = "./paper.py"\nfile = "paper.json"\n'
    source = CANARY + (TESTS / "deployer/file_platform.py").read_text()
    root = project({INDEX: ECHO, "paper.py": source}, config)
    user.chdir(root)
    canary = tmp_path / "canary"
    user.setenv("CANARY", str(canary))
    words, command = PLATFORM_COMMANDS.get(verb, (tuple(verb.split()), None))
    arguments = build_arguments(words, command, "paper") if command else words
    done = run(*arguments)
    assert not canary.exists()
    assert "mastra trust" in done.err + done.out
    assert done.code == (0 if verb == "targets" else 11), done.err
    # The honest case: the user trusts the file as it is.
    assert run("trust", "paper.py").code == 0
    run(*arguments)
    assert canary.exists()
    canary.unlink()
    (root / "paper.py").write_text(source + "# changed\n")
    run(*arguments)
    assert not canary.exists()


def run_on_terminal(root, answer, *arguments):
    """Run a command on a pseudo-terminal, and type the answer to its question."""
    controller, terminal = pty.openpty()
    command = [str(Path(sys.executable).with_name("mastra")), *arguments]
    process = subprocess.Popen(
        command, cwd=root, stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True
    )
    os.close(terminal)
    output, asked, until = b"", False, time.monotonic() + 30
    while time.monotonic() < until:
        if select.select([controller], [], [], 0.1)[0]:
            try:
                output += os.read(controller, 65536)
            except OSError:
                break
        if not asked and b"[y/N]" in output:
            os.write(controller, answer.encode() + b"\n")
            asked = True
    code = process.wait(10)
    os.close(controller)
    return code, output.decode(errors="replace")


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_terminal_asks_and_remembers(checkout, attacker, run, answer):
    root, host = checkout("vercel", {"api_url": attacker.url}), format_host(attacker.url)
    code, output = run_on_terminal(root, answer, "doctor", "vercel")
    assert f"name the host {host} (api_url)" in output.replace("\r\n", "")
    assert received_credentials(attacker) == (answer == "y")
    assert (code == 11) == (answer == "n"), output
    attacker.headers.clear()
    run("doctor", "vercel")
    assert received_credentials(attacker) == (answer == "y")


def test_trust_lists_and_refuses(run, user, tmp_path):
    user.chdir(tmp_path)
    assert "Nothing is trusted." in run("trust").out
    assert run("trust", "https://a.example/x", "b.example:5000").code == 0
    assert json.loads(run("trust", "--json").out)["hosts"] == ["a.example", "b.example:5000"]
    for name in ("", "a b", "/x/y", "*", "*.example"):
        assert run("trust", name).code == 2, name
    (tmp_path / "config/trust.json").write_text("{")
    assert run("trust").code == 2


SHAPES = {
    "tool is a number": "tool = 7",
    "tool.mastra is a number": "tool.mastra = 7",
    "project is a number": "project = 7",
    "tool.uv is a number": "tool.uv = 7",
    "a workspace is a list": "[tool.uv]\nworkspace = []",
    "groups are a number": "dependency-groups = 7",
    "targets is a list": "[tool.mastra]\ntargets = []",
    "a target is a number": "[tool.mastra.targets]\nacme = 7",
    "an overlay is a number": '[tool.mastra.targets.acme]\napp = "x"\nenv = 7',
    "an overlay's table is a number": '[tool.mastra.targets.acme]\napp = "x"\nenv.eu = 7',
    "a deployer is a list": "[tool.mastra.targets.acme]\ndeployer = []",
    "a deployer is a directory": '[tool.mastra.targets.acme]\ndeployer = "./"',
    "a deployer is in another directory": '[tool.mastra.targets.acme]\ndeployer = "../../x.py"',
    "a setting is a list": "[tool.mastra.targets.acme]\napp = [[[]]]",
    "an address is no address": '[tool.mastra.targets.acme]\napp = "x"\napi_url = "https://["',
    "an address has no host": '[tool.mastra.targets.acme]\napp = "x"\napi_url = "https://"',
    "a deep list": "x = " + "[" * 5000 + "]" * 5000,
    "no UTF-8": "x = '\udcff'",
}
ENTRIES = {
    "a deep expression": "x = " + "(" * 5000 + ")" * 5000,
    "a deep operator": "x = " + "-" * 50_000 + "1",
    "a null byte": "x = 1\0",
    "no UTF-8": "x = '\udcff'",
    "a deep deployer": f"from mastra_deployer_acme import AcmeDeployer as B\nMastra(deployer=B(x={'[' * 150}1{']' * 150}))",
}


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_hostile_pyproject_is_a_config_error(run, user, tmp_path, shape):
    user.chdir(tmp_path)
    text = SHAPES[shape].encode(errors="surrogateescape")
    (tmp_path / "pyproject.toml").write_bytes(text)
    for arguments in (["doctor", "acme", "--env", "eu"], ["doctor", "acme"], ["targets"]):
        done = run(*arguments)
        assert "defect" not in done.err, done.err
        assert done.code in (2, 6) or arguments == ["targets"], (done.code, done.err)


@pytest.mark.parametrize("entry", sorted(ENTRIES))
def test_a_hostile_entry_file_is_a_config_error(checkout, run, entry):
    root = checkout("acme")
    (root / INDEX).write_bytes(ENTRIES[entry].encode(errors="surrogateescape"))
    done = run("deployments", "acme")
    assert done.code == 2, done.err
    assert "defect" not in done.err
