"""The state of the repository is read without running what the repository configures."""

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


@pytest.mark.parametrize("required", ["true", "false"])
def test_no_program_of_the_repository_runs(repository, tmp_path, required):
    canary, program = tmp_path / "canary", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho run >> {canary}\ncat\n")
    program.chmod(0o755)
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
