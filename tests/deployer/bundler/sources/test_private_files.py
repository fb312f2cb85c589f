"""Files that may contain a secret do not ship without a warning."""

import pytest

from mastra_core.errors import BuildError
from mastra_deployer.bundler.sources.first_party import collect_sources
from mastra_deployer.project.discovery import find_project
from tests.sample_projects import ECHO, write_project

KEY = "-----BEGIN RSA PRIVATE KEY-----\n"
CONFIG = """
[tool.mastra.build]
include = ["config/**/*", ".well-known/*", "keys/listed.key", ".tools/*.txt", "data/*.orig"]
"""
FILES = {
    "src/mastra/index.py": ECHO,
    "src/mastra/id_rsa": KEY,
    "src/mastra/ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "src/mastra/server.pem": KEY,
    "src/mastra/Service-Account-1.JSON": "{}",
    "src/mastra/words.json": "{}",
    "src/mastra/index.py~": "KEY = 1",
    "src/mastra/#index.py#": "KEY = 1",
    "src/mastra/words.json.bak": "{}",
    "data/words.json.orig": "{}",
    "config/app.toml": "",
    "config/prod.tfvars": "",
    "config/.git/config": "",
    "config/.netrc": "",
    "keys/listed.key": KEY,
    ".well-known/app.json": "{}",
    ".tools/words.txt": "",
    ".tools/.hidden/words.txt": "",
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = write_project(tmp_path_factory.mktemp("secrets") / "app", FILES, CONFIG)
    return collect_sources(find_project(root), set())


def test_files_that_may_contain_a_secret_are_reported(sources):
    found = {problem.where: problem for problem in sources.problems}
    names = ("Service-Account-1.JSON", "id_rsa", "server.pem")
    assert sorted(found) == ["config/prod.tfvars", *(f"src/mastra/{name}" for name in names)]
    assert {problem.severity for problem in found.values()} == {"warning"}
    assert "src/mastra/id_rsa" in sources.files, "an app may need the file"


def test_a_wildcard_includes_no_hidden_files(sources):
    included = {name for name in sources.files if not name.startswith("src/")}
    others = {".tools/words.txt", ".well-known/app.json", "keys/listed.key"}
    assert included >= {"config/app.toml", "config/prod.tfvars", *others}
    hidden = {"config/.git/config", "config/.netrc", ".tools/.hidden/words.txt"}
    assert included.isdisjoint(hidden)


def test_backups_of_editors_do_not_ship(sources):
    """A backup may contain a secret that the code does not contain any more."""
    shipped = {name for name in sources.files if name.endswith(("~", "#", ".bak", ".orig"))}
    assert shipped == {"data/words.json.orig"}, "include names this file"


@pytest.mark.parametrize("name", [".git/config", ".netrc", ".config/a/token"])
def test_a_link_to_a_hidden_file_is_refused(tmp_path, name):
    files = {"src/mastra/index.py": ECHO, name: "token"}
    root = write_project(tmp_path / "app", files)
    (root / "src/mastra/words.txt").symlink_to(f"../../{name}")
    with pytest.raises(BuildError, match="is a link to a hidden file"):
        collect_sources(find_project(root), set())


@pytest.mark.parametrize("name", [".dvc/cache/files/md5/a", ".git/annex/objects/a"])
def test_a_link_to_the_data_of_a_version_control_system_ships(tmp_path, name):
    root = write_project(tmp_path / "app", {"src/mastra/index.py": ECHO, name: "word"})
    (root / "src/mastra/words.txt").symlink_to(f"../../{name}")
    assert "src/mastra/words.txt" in collect_sources(find_project(root), set()).files
