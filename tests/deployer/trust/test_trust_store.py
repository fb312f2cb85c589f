"""Test what the user trusts: stored for the user only, and never half written."""

import os
import stat
import subprocess
import sys

import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.trust.trust_store import TrustStore, change_trust, load_trust


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTRA_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


def test_stored_trust_is_read_again(directory):
    assert load_trust() == TrustStore()
    files = {"/project/acme.py": "digest"}
    with change_trust() as store:
        store.hosts += ["b.example", "a.example"]
        store.files |= files
    assert load_trust() == TrustStore(hosts=["a.example", "b.example"], files=files)
    assert sorted(path.name for path in directory.iterdir()) == ["trust.json", "trust.lock"]


@pytest.mark.skipif(os.name != "posix", reason="no modes here")
def test_only_the_user_may_read_it(directory):
    with change_trust() as store:
        store.hosts.append("a.example")
    assert stat.S_IMODE((directory / "trust.json").stat().st_mode) == 0o600


def test_a_link_in_the_place_of_the_draft_is_not_followed(directory, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    directory.mkdir()
    (directory / f"trust.{os.getpid()}").symlink_to(victim)
    with change_trust() as store:
        store.hosts.append("a.example")
    assert victim.read_text() == "kept"
    assert load_trust().hosts == ["a.example"]


def test_changes_of_several_processes_are_all_stored(directory):
    code = (
        "import sys\nfrom mastra_deployer.trust.trust_store import change_trust\n"
        "for number in range(20):\n"
        "    with change_trust() as store:\n"
        "        store.hosts.append(f'{sys.argv[1]}-{number}.example')\n"
    )
    names = ("a", "b", "c")
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in names]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(load_trust().hosts) == 60


def test_a_failed_change_stores_nothing(directory):
    def fail():
        with change_trust() as store:
            store.hosts.append("a.example")
            raise ConfigError("no host", "")

    with pytest.raises(ConfigError, match="no host"):
        fail()
    assert load_trust() == TrustStore()


def test_a_malformed_file_is_reported(directory):
    directory.mkdir()
    (directory / "trust.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_trust()
