"""Convert Poetry's version constraints to the standard notation."""

import pytest

from mastra_deployer.bundler.locks.poetry_constraints import to_requirements, to_specifier


@pytest.mark.parametrize(
    ("poetry", "standard"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.*", "==1.2.*"),
        ("1.2", "==1.2"),
        ("*", ""),
        (">= 1.2, <2", ">=1.2,<2"),
        (">=1.2 <2", ">=1.2,<2"),
        ("~=1.4", "~=1.4"),
        ("!=1.5", "!=1.5"),
    ],
)
def test_versions(poetry, standard):
    assert to_specifier(poetry, "x") == standard


def test_tables(tmp_path):
    several = [{"version": "^1", "python": "<3.12"}, {"version": "^2", "python": ">=3.12"}]
    assert to_requirements("x", several, tmp_path) == [
        "x>=1,<2 ; python_full_version < '3.12'",
        "x>=2,<3 ; python_full_version >= '3.12'",
    ]
    git = {"git": "git@example.org:a/b.git", "tag": "v1", "extras": ["y"]}
    assert to_requirements("x", git, tmp_path) == ["x[y] @ git+ssh://git@example.org/a/b.git@v1"]
