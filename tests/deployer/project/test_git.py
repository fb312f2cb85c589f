"""The state of the repository is read without running what the repository configures."""

import os
import shutil
import subprocess

import pytest

from mastra_deployer.project.git import read_git_state


@pytest.fixture
def repository(tmp_path, monkeypatch):
    root = tmp_path / "repository"
    root.mkdir()
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@localhost")
    (root / "file.txt").write_text("one\n")
    for command in (["init", "-q", "-b", "work"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)
    return root


def test_commit_branch_and_changes_are_read(repository, tmp_path):
    state = read_git_state(repository)
    assert (len(state.commit), state.branch, state.dirty) == (40, "work", False)
    (repository / "file.txt").write_text("two\n")
    assert read_git_state(repository).dirty
    assert read_git_state(tmp_path) is None


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


@pytest.fixture
def program(tmp_path, canary):
    """A program that writes the canary."""
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\necho run >> {canary}\ncat\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("required", ["true", "false"])
def test_no_program_of_the_repository_runs(repository, canary, program, required):
    (repository / ".git/hooks/post-index-change").write_text(program.read_text())
    (repository / ".git/hooks/post-index-change").chmod(0o755)
    (repository / ".git/more").write_text(
        f'[filter "evil"]\nclean = {program}\nrequired = {required}\n'
    )
    with (repository / ".git/config").open("a") as config:
        config.write(f"[include]\npath = more\n[core]\nfsmonitor = {program}\n")
        config.write(f"hooksPath = {repository}/.git/hooks\n")
    (repository / ".gitattributes").write_text("* filter=evil\n")
    (repository / "file.txt").write_text("two\n")
    assert read_git_state(repository).dirty
    assert not canary.exists()


NAMES = [b"evil", b"e=vil", b"Ev.il", b"e\fvil", b"e\x1cvil", b"e\xe2\x80\xa8vil", b"e\xffvil"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", [b"clean", b"process"])
def test_no_name_hides_a_filter(repository, canary, program, name, key):
    with (repository / ".git/config").open("ab") as config:
        config.write(b'[filter "%b"]\n%b = %b\n' % (name, key, os.fsencode(program)))
    (repository / ".gitattributes").write_bytes(b"* filter=%b\n" % name)
    (repository / "file.txt").write_text("two\n")
    assert read_git_state(repository).dirty
    assert not canary.exists()


REMOTES = {
    "ssh": ("url = ssh://host/x", ""),
    "ext": ("url = ext::PROGRAM", '[protocol "ext"]\nallow = always\n'),
    "file": ("url = .\nuploadpack = PROGRAM", '[protocol "file"]\nallow = always\n'),
    "git": ("url = git://host/x", ""),
    "vcs": ("url = x\nvcs = ext", '[protocol "ext"]\nallow = always\n'),
}


@pytest.mark.parametrize("is_old", [False, True], ids=["git", "git without GIT_NO_LAZY_FETCH"])
@pytest.mark.parametrize("remote", sorted(REMOTES))
def test_missing_objects_are_not_fetched(repository, canary, program, monkeypatch, remote, is_old):
    """A partial clone without its objects: git would fetch them with a program that it names."""
    from mastra_deployer.project import git

    if is_old:
        known = {name: value for name, value in git._VARIABLES.items() if "LAZY" not in name}
        monkeypatch.setattr(git, "_VARIABLES", known)
    keys, section = (text.replace("PROGRAM", str(program)) for text in REMOTES[remote])
    with (repository / ".git/config").open("a") as config:
        config.write("[core]\nrepositoryformatversion = 1\n")
        config.write(f"sshCommand = {program}\ngitProxy = {program}\n")
        config.write("[extensions]\npartialClone = origin\n")
        config.write(f'[remote "origin"]\n{keys}\npromisor = true\n{section}')
    for objects in (repository / ".git/objects").glob("??"):
        shutil.rmtree(objects)
    state = read_git_state(repository)
    assert not canary.exists()
    assert (len(state.commit), state.dirty) == (40, True)


def test_the_index_is_not_written(repository):
    os.utime(repository / "file.txt", (1, 1))  # git would refresh its index
    index = repository / ".git/index"
    before = index.read_bytes()
    assert not read_git_state(repository).dirty
    assert index.read_bytes() == before


def test_a_program_of_a_submodule_does_not_run(repository, canary, program):
    subprocess.run(["git", "clone", "-q", ".", "part"], cwd=repository, check=True)
    for words in (["add", "part"], ["commit", "-q", "-m", "part"]):
        subprocess.run(["git", *words], cwd=repository, check=True, capture_output=True)
    with (repository / "part/.git/config").open("a") as config:
        config.write(f'[core]\nfsmonitor = {program}\n[filter "evil"]\nclean = {program}\n')
    (repository / "part/.gitattributes").write_text("* filter=evil\n")
    (repository / "part/file.txt").write_text("two\n")
    read_git_state(repository)
    assert not canary.exists()
