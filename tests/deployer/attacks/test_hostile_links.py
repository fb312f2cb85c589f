"""Links in a checkout: no command writes, locks or deletes where they lead."""

import os
import shutil

import pytest

from mastra_core.pipeline import MANIFEST
from mastra_deployer.files.temporary import TEMPORARY_PREFIX
from tests.repository import TESTS

INDEX = "src/mastra/index.py"
CONFIG = '[tool.mastra.targets.paper]\ndeployer = "./paper.py"\nfile = "paper.json"\n'
# Each is below the project, and leads to a directory, to a file or to nothing beside the project.
DIRECTORIES = (
    ".mastra",
    ".mastra-local",
    *(f".mastra-local/{name}" for name in ("builds", "locks", "made", "spare")),
)
FILES = (".mastra-local/.gitignore", ".mastra-local/lock")


@pytest.fixture
def victim(tmp_path):
    """A directory of the user beside the checkout, with names that mastra uses itself."""
    root = tmp_path / "victim"
    for name in (
        f"{TEMPORARY_PREFIX}thesis/text.txt",
        f"locks/{TEMPORARY_PREFIX}notes/text.txt",
        "pyproject.toml",
        "vendor/a.py",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("mine\n")
    (root / "locks/mine.toml").write_text("mine\n")
    (root / MANIFEST).write_text("{}")
    return root


def read_tree(root):
    paths = sorted(root.rglob("*"))
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def plant_link(root, name, target):
    link = root / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(target, link.parent))


@pytest.mark.parametrize("name", DIRECTORIES)
def test_a_build_follows_no_link_to_a_directory(project, mastra, echo, victim, name):
    root, before = project({INDEX: echo}), read_tree(victim)
    plant_link(root, name, victim)
    mastra("build", cwd=root).failed(2, f"{name}' is a symbolic link", "Delete the link")
    assert read_tree(victim) == before


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("target", ["pyproject.toml", "new.txt"])
def test_a_build_follows_no_link_to_a_file(project, mastra, echo, victim, name, target):
    root, before = project({INDEX: echo}), read_tree(victim)
    plant_link(root, name, victim / target)
    mastra("build", cwd=root).failed(2, f"{name}' is a symbolic link")
    assert read_tree(victim) == before


def test_links_above_the_project_are_followed(project, mastra, echo, tmp_path, victim):
    """The honest case: links above the project are the user's own, and so is an output elsewhere."""
    root = project({INDEX: echo})
    (tmp_path / "door").symlink_to(tmp_path)
    door = tmp_path / "door" / root.name
    mastra("build", cwd=door).ok()
    mastra("build", "--dir", f"door/{root.name}", cwd=tmp_path).ok()
    assert (root / ".mastra" / MANIFEST).exists()
    before = read_tree(victim)
    mastra("bundle", "server", "-o", tmp_path / "door/out", cwd=root).ok()
    assert (tmp_path / "out" / MANIFEST).exists()
    # A draft that is a symbolic link was left by nobody but the checkout: it is replaced, not followed.
    for state in (root / ".mastra-local/made").iterdir():
        plant_link(root, f".mastra-local/made/{state.name}.tmp", victim / "new.txt")
    (root / INDEX).write_text(echo + "\n")
    mastra("build", cwd=root).ok()
    assert read_tree(victim) == before


def test_a_bundle_follows_no_link_and_no_name_out_of_the_project(project, mastra, echo, victim):
    paper = (TESTS / "deployer/file_platform.py").read_text()
    root, before = project({INDEX: echo, "paper.py": paper}, CONFIG), read_tree(victim)
    plant_link(root, ".mastra-local/bundles", victim)
    mastra("bundle", "paper", cwd=root).failed(2, "bundles' is a symbolic link")
    (root / ".mastra-local/bundles").unlink()
    plant_link(root, "out", victim)
    mastra("bundle", "paper", "-o", "out/new", cwd=root).failed(2, "out' is a symbolic link")
    for name in ("../../../victim", str(victim), "..", "."):
        (root / "pyproject.toml").write_text(CONFIG.replace("targets.paper", f'targets."{name}"'))
        mastra("bundle", cwd=root).failed(2, "outside of '.mastra-local'")
    assert read_tree(victim) == before
    # The honest case, also with a path to the deployer as its name.
    (root / "pyproject.toml").write_text(
        '[tool.mastra.targets."./paper.py"]\nfile = "paper.json"\n'
    )
    mastra("bundle", "./paper.py", cwd=root).ok()
    assert (root / ".mastra-local/bundles/paper.py" / MANIFEST).exists()


def test_dependencies_of_a_linked_bundle_stay_where_they_are(project, mastra, echo, tmp_path):
    root = project({INDEX: echo})
    mastra("build", cwd=root).ok()
    other = tmp_path / "other"
    shutil.copytree(root / ".mastra", other)
    shutil.rmtree(root / ".mastra")
    before = read_tree(other)
    for name in (".mastra", "..mastra.mastra-swap"):
        plant_link(root, name, other)
    mastra("build", cwd=root).failed(2, ".mastra' is a symbolic link")
    mastra("bundle", "server", "-o", tmp_path / "own", cwd=root).ok()
    (tmp_path / "link").symlink_to(other)
    mastra("bundle", "server", "-o", tmp_path / "link", cwd=root).failed(5, "is a symbolic link")
    (root / ".mastra").unlink()
    mastra("build", cwd=root).ok()
    assert not (root / ".mastra").is_symlink()
    assert read_tree(other) == before


@pytest.mark.parametrize("name", ["deployments.json", "dev.json", ""])
def test_records_are_written_to_no_link(project, echo, victim, name):
    from mastra_core.errors import ConfigError
    from mastra_deployer.dev.instance import InstanceFile
    from mastra_deployer.pipeline.deployment_history import list_known_deployments
    from mastra_deployer.project.discovery import find_project

    root, before = project({INDEX: echo}), read_tree(victim)
    plant_link(root, f".mastra-local/{name}".rstrip("/"), victim / (name and "pyproject.toml"))
    found = find_project(root)
    instance = InstanceFile(found)
    instance.write("http://127.0.0.1:1")
    instance.close()
    if name != "dev.json":
        with pytest.raises(ConfigError, match="is a symbolic link"):
            list_known_deployments(found, "paper")
    assert read_tree(victim) == before


@pytest.mark.parametrize("words", [("host", "docker"), ("ci", "github")])
def test_new_files_are_written_to_no_link(project, mastra, echo, victim, words):
    config = '[tool.mastra.targets.acme]\napp = "shop"\n'
    root, before = project({INDEX: echo}, config), read_tree(victim)
    (root / ".git").mkdir()
    links = {"host": ("Dockerfile", ".dockerignore"), "ci": (".github",)}[words[0]]
    for name in links:
        plant_link(root, name, victim / "new.txt" if words[0] == "host" else victim)
    for force in ((), ("--force",)):
        mastra("new", *words, *force, cwd=root).failed(2, "is a symbolic link")
    assert read_tree(victim) == before
    for name in links:
        (root / name).unlink()
    mastra("new", *words, cwd=root).ok()
