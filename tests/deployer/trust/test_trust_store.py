"""Test what the user trusts: stored for the user only, and never half written."""

import os
import stat

import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.trust.trust_store import TrustStore, load_trust, save_trust


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTRA_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


def test_stored_trust_is_read_again(directory):
    assert load_trust() == TrustStore()
    store = TrustStore(hosts=["b.example", "a.example"], files={"/project/acme.py": "digest"})
    save_trust(store)
    assert load_trust().hosts == ["a.example", "b.example"]
    assert load_trust().files == store.files
    assert [path.name for path in directory.iterdir()] == ["trust.json"]


@pytest.mark.skipif(os.name != "posix", reason="no modes here")
def test_only_the_user_may_read_it(directory):
    save_trust(TrustStore(hosts=["a.example"]))
    assert stat.S_IMODE((directory / "trust.json").stat().st_mode) == 0o600


def test_a_link_in_the_place_of_the_draft_is_not_followed(directory, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    directory.mkdir()
    (directory / f"trust.{os.getpid()}").symlink_to(victim)
    save_trust(TrustStore(hosts=["a.example"]))
    assert victim.read_text() == "kept"
    assert load_trust().hosts == ["a.example"]


def test_a_malformed_file_is_reported(directory):
    directory.mkdir()
    (directory / "trust.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_trust()
