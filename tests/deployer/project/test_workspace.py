"""Workspaces of uv."""

import pytest

from mastra_core.errors import ConfigError
from mastra_deployer.project.workspace import find_member, find_workspace_root


@pytest.fixture
def workspace(tmp_path):
    """Write a workspace: `workspace('["apps/*"]')` returns its root."""

    def write(members):
        for directory in ("apps/shop/src/shop", "apps/blog/src/blog"):
            (tmp_path / directory).mkdir(parents=True)
        (tmp_path / "apps/blog/pyproject.toml").write_text('[project]\nname = "my-blog"\n')
        (tmp_path / "pyproject.toml").write_text(f"[tool.uv.workspace]\nmembers = {members}\n")
        return tmp_path.resolve()

    return write


def test_members(workspace):
    root = workspace('["apps/*"]')
    assert find_workspace_root(root / "apps/shop") == root
    assert find_member(root / "apps/shop", "blog.views") == "my-blog"


@pytest.mark.parametrize("own", [".", "./"])
def test_the_root_may_be_a_member(workspace, own):
    root = workspace(f'["{own}", "apps/*"]')
    (root / "pyproject.toml").write_text(
        '[project]\nname = "top"\n' + (root / "pyproject.toml").read_text()
    )
    (root / "src/top").mkdir(parents=True)
    assert find_workspace_root(root / "apps/shop") == root
    assert find_member(root / "apps/shop", "top") == "top"


def test_other_directories_are_no_members(workspace):
    root = workspace('["apps/blog"]')
    assert find_workspace_root(root / "apps/shop") == root / "apps/shop"


@pytest.mark.parametrize("members", ['["/abs/*"]', '[""]', '["a**b"]', "[3]", "3"])
def test_wrong_members_are_an_error_of_the_configuration(workspace, members):
    root = workspace(members)
    with pytest.raises(ConfigError, match="wrong value for members") as raised:
        find_workspace_root(root / "apps/shop")
    assert str(root / "pyproject.toml") in raised.value.message
    assert 'members = ["packages/*"]' in raised.value.hint
