"""Authentication: basic, bearer tokens, Docker's logins; and secrets are never shown."""

import base64
import json
import os
import sys
import time

import pytest

from mastra_core.errors import AuthError
from mastra_deployer_oci.api.docker_auth import find_stored_login
from tests.oci.registries import Proxy, TokenServer, make_htpasswd

pytestmark = pytest.mark.slow

USER, PASSWORD = "pusher", "pass-word-4711"
KNOWN = {"OCI_USERNAME": USER, "OCI_PASSWORD": PASSWORD}


@pytest.fixture
def password_registry(start, tmp_path):
    """A registry that requires a user name and a password."""
    return start(auth=make_htpasswd(tmp_path, USER, PASSWORD))


@pytest.fixture
def tokens(tmp_path):
    server = TokenServer(tmp_path, USER, PASSWORD)
    yield server
    server.stop()


def test_username_and_password(password_registry, oci, bundle):
    run = oci(password_registry.host)
    done = run("deploy", "--prebuilt", bundle, "--prod", **KNOWN).ok()
    assert PASSWORD not in done.out + done.err
    deployments = run("deployments", "--json", **KNOWN).ok()
    assert [item["live"] for item in deployments.json["deployments"]] == [True]


@pytest.mark.parametrize(("verb", "code"), [("deploy", 7), ("doctor", 7), ("deployments", 7)])
def test_wrong_credentials_are_reported_with_a_hint(password_registry, oci, bundle, verb, code):
    run = oci(password_registry.host)
    arguments = ("--prebuilt", bundle, "--prod") if verb == "deploy" else ()
    wrong = {**KNOWN, "OCI_PASSWORD": "wrong-8888"}
    done = run(verb, *arguments, **wrong).failed(code, "login from OCI_USERNAME", "docker login")
    assert "wrong-8888" not in done.out + done.err
    assert base64.b64encode(f"{USER}:wrong-8888".encode()).decode() not in done.out + done.err
    run(verb, *arguments).failed(code, "Set OCI_USERNAME", "docker login")
    incomplete = {"OCI_USERNAME": USER}
    run(verb, *arguments, **incomplete).failed(code, "OCI_PASSWORD is not set")
    assert password_registry.list_blobs() == set()


def test_docker_login_is_used(password_registry, oci, bundle, tmp_path):
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    config = {"auths": {password_registry.host: {"auth": pair}}}
    (tmp_path / "docker" / "config.json").write_text(json.dumps(config))
    done = oci(password_registry.host)("deploy", "--prebuilt", bundle, "--prod").ok()
    assert pair not in done.out + done.err


def answer(username, secret):
    return f"print(json.dumps({{'Username': {username!r}, 'Secret': {secret!r}}}))"


def describe(login):
    secrets = (login.password, login.refresh)
    return (login.username, *(secret and secret.reveal() for secret in secrets))


@pytest.fixture
def install_helper(tmp_path, monkeypatch):
    """A function that installs the helper of all registries, with this Python code."""

    def install(code):
        helper = tmp_path / "bin" / "docker-credential-test"
        helper.parent.mkdir()
        helper.write_text(f"#!{sys.executable}\nimport json, sys\n{code}\n")
        helper.chmod(0o755)
        (tmp_path / "config.json").write_text(json.dumps({"credsStore": "test"}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")

    return install


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_credential_helper_is_used(
    password_registry, oci, bundle, tmp_path, monkeypatch, key
):  # fixtures
    helper = tmp_path / "bin" / "docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"assert sys.argv[1:] == ['get'] and sys.stdin.read().strip() == {password_registry.host!r}\n"
        f"print(json.dumps({{'Username': {USER!r}, 'Secret': {PASSWORD!r}}}))\n"
    )
    helper.chmod(0o755)
    config = {key: "test" if key == "credsStore" else {password_registry.host: "test"}}
    (tmp_path / "docker" / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
    oci(password_registry.host)("deploy", "--prebuilt", bundle, "--prod").ok()
    helper.unlink()
    oci(password_registry.host)("deployments").failed(7, "docker-credential-test", "OCI_USERNAME")


@pytest.mark.parametrize(
    "config",
    [
        [],
        {"auths": ["x"]},
        {"auths": {"registry.example": "text"}},
        {"auths": {"registry.example": {"auth": 5}}},
        {"auths": {"registry.example": {"auth": "\u00fc"}}},
        {"auths": {"registry.example": None}, "credHelpers": ["x"]},
    ],
)
def test_a_damaged_configuration_has_no_login(tmp_path, monkeypatch, config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert find_stored_login("registry.example") is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('{}')", None),
        ("print('credentials not found'); sys.exit(1)", None),
        (answer("ann", "s3cret"), ("ann", "s3cret", None)),
        (answer("<token>", "s3cret"), ("", None, "s3cret")),
    ],
    ids=["nothing", "not found", "password", "identity token"],
)
def test_answers_of_a_credential_helper(install_helper, code, expected):
    install_helper(code)
    login = find_stored_login("registry.example")
    assert (login and describe(login)) == expected
    assert login is None or login.host == "registry.example"


@pytest.mark.parametrize("code", ["print('no json')", "print('[]')", "print(chr(0xdcff))"])
def test_a_helper_that_fails_is_named(install_helper, code):
    install_helper(code)
    with pytest.raises(AuthError, match="The credential helper 'docker-credential-test' failed"):
        find_stored_login("registry.example")


def test_a_missing_helper_of_docker_hub_can_be_removed(tmp_path, monkeypatch):
    """The variables are not for the registry of a base image, so they are no cure there."""
    config = {"credHelpers": {"https://index.docker.io/v1/": "nowhere"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(AuthError, match="docker-credential-nowhere") as raised:
        find_stored_login("docker.io")
    assert "remove it from config.json" in raised.value.hint
    assert find_stored_login("registry.example") is None


def test_token_server(start, tokens, oci, bundle):
    registry = start(auth=tokens.registry_config)
    run = oci(registry.host)
    run("deploy", "--prebuilt", bundle, "--prod", **KNOWN).ok()
    assert set(tokens.granted_scopes) == {"repository:team/app:pull,push"}
    run("deployments", **{**KNOWN, "OCI_PASSWORD": "wrong-8888"}).failed(7, "issued no token")
    run("deployments").failed(7, "docker login")
    mine = tokens.make_token(["repository:team/app:pull"])
    deployments = run("deployments", "--json", OCI_TOKEN=mine).ok().json["deployments"]
    assert len(deployments) == 1
    done = run("deploy", "--prebuilt", bundle, "--preview", OCI_TOKEN=mine).failed(7, "OCI_TOKEN")
    assert mine not in done.out + done.err


def test_identity_token_is_exchanged(start, tokens, oci, bundle, tmp_path):
    registry = start(auth=tokens.registry_config)
    config = {"auths": {registry.host: {"identitytoken": tokens.refresh}}}
    (tmp_path / "docker" / "config.json").write_text(json.dumps(config))
    oci(registry.host)("deploy", "--prebuilt", bundle, "--prod").ok()
    assert tokens.granted_scopes


def test_expired_token_is_fetched_again(start, tmp_path, oci, bundle):
    tokens = TokenServer(
        tmp_path, USER, PASSWORD, seconds=-58
    )  # the registry accepts tokens for another minute
    registry = start(auth=tokens.registry_config)
    proxy = Proxy(registry)
    try:
        delays = iter([2.5])  # only the first waits until its token has expired
        proxy.should_break = lambda method, path, number: (
            method == "PATCH" and _sleep(next(delays, 0))
        )
        oci(proxy.host)("deploy", "--prebuilt", bundle, "--prod", **KNOWN).ok()
        assert len(tokens.granted_scopes) > 1
    finally:
        proxy.stop()
        tokens.stop()


def _sleep(seconds):
    time.sleep(seconds)
    return False


def test_plain_http_is_rejected_for_remote_registries(oci, bundle):
    run = oci("registry.example", OCI_REGISTRY_URL="http://registry.example")
    run("deploy", "--prebuilt", bundle, "--prod", **KNOWN).failed(2, "without encryption", "https")
