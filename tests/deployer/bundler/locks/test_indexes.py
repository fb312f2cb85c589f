"""Private indexes: builds work, and credentials are stored nowhere."""

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from mastra_core.errors import BuildError, ConfigError
from mastra_deployer.bundler.locks.indexes import remove_credentials
from tests.deployer.bundler.lock_step import (
    format_pyproject,
    get_versions,
    lock_project,
    run_uv,
    write_project,
)
from tests.deployer.bundler.package_index import PASSWORD, USER, sdist, serve_index, wheel
from tests.files import find_text

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    wheel(folder, "private-one", "1.0", requires=["private-two"])
    wheel(folder, "private-two", "2.0")
    sdist(folder, "privatesource", "3.0")
    with serve_index(folder) as address:
        yield address


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """With uv's shared cache, only the first build would need credentials."""
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def assert_secrets_absent(*roots):
    for root in roots:
        assert not find_text(root, PASSWORD, USER)


def add_credentials(address):
    return f"http://{USER}:{PASSWORD}@{address}/simple"


FOUND = {"private-one": "1.0", "private-two": "2.0"}


def test_named_indexes_of_uv(tmp_path, index, monkeypatch):
    monkeypatch.setenv("UV_INDEX_INNER_USERNAME", USER)
    monkeypatch.setenv("UV_INDEX_INNER_PASSWORD", PASSWORD)
    more = f'[[tool.uv.index]]\nname = "inner"\nurl = "http://{index}/simple"\n'
    root = write_project(tmp_path, {"pyproject.toml": format_pyproject(["private-one"], more)})
    assert get_versions(lock_project(root)) == FOUND
    run_uv("lock", cwd=root)
    assert get_versions(lock_project(root, locked=True)) == FOUND
    assert_secrets_absent(root)


def test_indexes_of_a_requirements_file(tmp_path, index, monkeypatch):
    lines = f"--extra-index-url {add_credentials(index)}\nprivate-one\n"
    root = write_project(tmp_path, {"requirements.txt": lines})
    closure = lock_project(root)
    assert get_versions(closure) == FOUND
    assert PASSWORD not in repr(closure)
    assert_secrets_absent(root / ".mastra-local")
    address = f"http://{USER}:${{INDEX_PASSWORD}}@{index}/simple"
    (root / "requirements.txt").write_text(f"--extra-index-url {address}\nprivate-one\n")
    with pytest.raises(ConfigError, match="'INDEX_PASSWORD'"):
        lock_project(root)
    monkeypatch.setenv("INDEX_PASSWORD", PASSWORD)
    assert get_versions(lock_project(root)) == FOUND


def test_indexes_of_the_environment_and_netrc(tmp_path, index, monkeypatch):
    root = write_project(tmp_path / "app", {"requirements.txt": "private-one\n"})
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", add_credentials(index))
    assert get_versions(lock_project(root)) == FOUND
    other = write_project(tmp_path / "other", {"requirements.txt": "private-one\n"})
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", f"http://{index}/simple")
    assert get_versions(lock_project(other)) == FOUND
    assert_secrets_absent(root, other)


def test_sources_of_poetry(tmp_path, index, monkeypatch):
    monkeypatch.setenv("POETRY_HTTP_BASIC_INNER_USERNAME", USER)
    monkeypatch.setenv("POETRY_HTTP_BASIC_INNER_PASSWORD", PASSWORD)
    text = (
        '[tool.poetry]\nname = "app"\n[tool.poetry.dependencies]\nprivate-one = "^1.0"\n'
        f'[[tool.poetry.source]]\nname = "inner"\nurl = "http://{index}/simple"\n'
        'priority = "supplemental"\n'
    )
    root = write_project(tmp_path, {"pyproject.toml": text})
    assert get_versions(lock_project(root)) == FOUND
    assert_secrets_absent(root)


def test_wrong_credentials_are_not_shown(tmp_path, index):
    address = add_credentials(index).replace(PASSWORD, "wrong-" + PASSWORD)
    root = write_project(tmp_path, {"requirements.txt": f"-i {address}\nprivate-one\n"})
    with pytest.raises(BuildError, match="rejected the credentials") as caught:
        lock_project(root)
    assert "UV_INDEX_<NAME>_PASSWORD" in caught.value.hint
    assert PASSWORD not in str(caught.value)


def test_url_requirement_with_credentials(tmp_path, index):
    address = f"http://{USER}:{PASSWORD}@{index}/files/private_two-2.0-py3-none-any.whl"
    root = write_project(tmp_path, {"requirements.txt": f"private-two @ {address}\n"})
    assert get_versions(lock_project(root)) == {"private-two": "2.0"}
    assert_secrets_absent(root / ".mastra-local")


def record_argument_lists(argument_lists, stop):
    """Record every argument list on this machine until stopped."""
    while not stop.is_set():
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                argument_lists.add(path.read_bytes())
            except OSError:
                continue
        time.sleep(0.005)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="Linux shows argument lists")
def test_build_stores_no_credentials(project, mastra, index):
    secret = f"http://{USER}:{PASSWORD}@{index}"
    lines = (
        f"--extra-index-url {secret}/simple\nprivate-one\nprivatesource\n"
        f"private-two @ {secret}/files/private_two-2.0-py3-none-any.whl\n"
    )
    source = "import private_one, private_two, privatesource\n\nasync def app(scope, receive, send):\n    pass\n"
    root = project({"main.py": source, "requirements.txt": lines}, dependencies=())
    seen, stop = set(), threading.Event()
    watcher = threading.Thread(target=record_argument_lists, args=(seen, stop))
    watcher.start()
    try:
        done = mastra("build", "--app", "main:app", "--json", cwd=root).ok()
    finally:
        stop.set()
        watcher.join()
    assert PASSWORD not in done.out + done.err
    assert any(b"compile" in line for line in seen)
    assert not [line for line in seen if PASSWORD.encode() in line]
    assert (root / ".mastra/vendor/privatesource.py").exists()
    assert_secrets_absent(root / ".mastra", root / ".mastra-local", os.environ["MASTRA_CACHE_DIR"])
    records = list((root / ".mastra/vendor").glob("private*.dist-info/RECORD"))
    assert len(records) == 3
    assert not [path for path in records if "direct_url" in path.read_text()]


def test_credentials_are_removed_from_any_url():
    for url, shown in {
        "https://ada:pa@ss@host/x": "https://host/x",
        "HTTPS://token@host/x": "HTTPS://host/x",
        "https://ada:p#w@host/simple": "https://host/simple",
        "https://ada:p?w@host/simple": "https://host/simple",
        "https://host/?mail=ada@example.com": "https://host/?mail=ada@example.com",
        "see https://a:b@one/x,https://c@d:e@two/y": "see https://one/x,https://two/y",
    }.items():
        assert remove_credentials(url) == shown


@pytest.mark.parametrize("option", ["--extra-index-url", "--find-links"])
def test_a_line_with_an_open_quotation_mark_is_named(tmp_path, option):
    root = write_project(tmp_path, {"requirements.txt": f"{option} https://ada:pw@host/'x\n"})
    with pytest.raises(
        ConfigError, match="https://host/'x\", which has an unclosed quotation"
    ) as caught:
        lock_project(root)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("variable", ["UV_CONSTRAINT", "UV_OVERRIDE"])
def test_files_in_the_variables_of_uv_decide_as_in_uv(tmp_path, index, monkeypatch, variable):
    folder = tmp_path / "links"
    folder.mkdir()
    for version in ("1.0", "2.0", "3.0"):
        wheel(folder, "chosen", version)
    text = format_pyproject(["chosen"])
    root = write_project(tmp_path / "app", {"pyproject.toml": text})
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    assert get_versions(lock_project(root)) == {"chosen": "3.0"}
    limits = tmp_path / "limits.txt"
    monkeypatch.setenv(variable, str(limits))
    for version in ("2.0", "1.0"):
        limits.write_text(f"chosen<={version}\n")
        assert get_versions(lock_project(root)) == {"chosen": version}
    run_uv("lock", cwd=root)
    limits.write_text("chosen<=2.0\n")
    assert get_versions(lock_project(root, locked=True)) == {"chosen": "3.0"}


def forbid_access(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    (folder / "uv").mkdir(parents=True)
    (folder / "uv/uv.toml").write_text("")
    folder.chmod(0)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))


def remove_home(tmp_path, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2_000_000_000)  # as in a container with any user


def put_a_file(tmp_path, monkeypatch):
    (tmp_path / "home").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


@pytest.mark.skipif(os.name != "posix", reason="Windows has neither modes nor HOME")
@pytest.mark.parametrize("change", [forbid_access, remove_home, put_a_file])
def test_settings_of_the_user_that_cannot_be_read_are_ignored(tmp_path, monkeypatch, change):
    change(tmp_path, monkeypatch)
    root = write_project(tmp_path / "app", {"pyproject.toml": format_pyproject([])})
    assert get_versions(lock_project(root)) == {}


def test_the_settings_of_a_variable_are_relative_to_the_user(tmp_path, index, monkeypatch):
    """uv itself runs in the directory of the project."""
    text = format_pyproject(["private-one"])
    root = write_project(tmp_path / "app", {"pyproject.toml": text})
    (tmp_path / "own.toml").write_text(f'index-url = "{add_credentials(index)}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UV_CONFIG_FILE", "own.toml")
    assert get_versions(lock_project(root)) == FOUND


def test_file_added_after_the_lock_is_not_used(tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    wheel(folder, "lockedone", "1.0")
    digest = hashlib.sha256(next(folder.glob("*.whl")).read_bytes()).hexdigest()
    wheel(folder, "lockedone", "1.0", "cp311-none-any")
    lines = f"--find-links {folder}\n--no-index\nlockedone==1.0 --hash=sha256:{digest}\n"
    root = write_project(tmp_path / "app", {"requirements.txt": lines})
    text = lock_project(root, locked=True).lock.read_text()
    assert "lockedone-1.0-py3-none-any.whl" in text
    assert "cp311" not in text
