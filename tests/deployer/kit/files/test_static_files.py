"""Static files, paths of settings, and cron expressions."""

import pytest

from mastra_core.errors import BundleError
from mastra_core.pipeline import Build, BundleManifest, Platform
from mastra_deployer.kit import (
    check_project_path,
    copy_static_files,
    find_cron_problem,
    find_static_file,
)


@pytest.fixture
def build(tmp_path):
    (tmp_path / "app" / "public" / "css").mkdir(parents=True)
    (tmp_path / "app" / "public" / "css" / "a.css").write_text("body {}")
    (tmp_path / "secret").write_text("x")
    manifest = BundleManifest(
        app="main:app",
        paths=("app", "vendor"),
        python="3.12",
        wheels="x86_64-manylinux_2_28",
        entry="main:app",
    )
    return Build(directory=tmp_path, platform=Platform(), manifest=manifest)


def test_static_files_are_copied_from_the_build(build, tmp_path):
    copy_static_files(build, "public", tmp_path / "out")
    assert (tmp_path / "out" / "css" / "a.css").read_text() == "body {}"
    copy_static_files(build, "", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(
        BundleError, match="'assets' for static files is not in the build"
    ) as caught:
        copy_static_files(build, "assets", tmp_path / "none")
    assert 'include = ["assets/**/*"]' in caught.value.hint


def test_only_files_of_the_directory_are_served(build, tmp_path):
    root = tmp_path / "app" / "public"
    assert find_static_file(root, "/css/a.css?v=1") == (root / "css" / "a.css").resolve()
    for path in ("/css", "/b.css", "/../../secret", "//etc/passwd"):
        assert find_static_file(root, path) is None
    assert find_static_file(tmp_path / "missing", "/css/a.css") is None


def test_an_escaped_path_names_the_same_file(build, tmp_path):
    root = tmp_path / "app" / "public"
    (root / "grün 1.css").write_text("body {}")
    found = find_static_file(root, "/gr%C3%BCn%201.css?v=1")
    assert found == (root / "grün 1.css").resolve()
    assert find_static_file(root, "/%2e%2e/%2e%2e/secret") is None


@pytest.mark.parametrize("path", ["/" + "a" * 300, "/a%00b", "/" + "a/" * 3000])
def test_a_path_that_no_file_can_have_is_not_found(build, tmp_path, path):
    assert find_static_file(tmp_path / "app" / "public", path) is None


@pytest.mark.parametrize("path", ["../x", "a/../../b", "/etc", "..\\x", "C:\\x"])
def test_paths_outside_of_the_project_are_errors(path):
    problem = check_project_path(path, "static")
    assert problem.message == f"static={path!r} is outside of the project."


@pytest.mark.parametrize("path", ["", "public", "a/b..c"])
def test_paths_of_the_project_are_fine(path):
    assert check_project_path(path, "static") is None


@pytest.mark.parametrize(
    "expression",
    ["0 5 * * *", "*/10 0-6 1,15 * 1-5", "0 0 1 JAN-MAR sun", "0 0 * * 7", "5-50/5 * * * *"],
)
def test_valid_cron_expressions(expression):
    assert find_cron_problem(expression) == ""


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "it has 0 fields instead of 5"),
        ("0 5 * * * *", "it has 6 fields instead of 5"),
        ("60 5 * * *", "'60' is not a minute (0-59)"),
        ("0 5 0 * *", "'0' is not a day of the month (1-31)"),
        ("0 5 * FOO *", "'FOO' is not a month (1-12)"),
        ("0 9-5 * * *", "'9-5' is not a hour (0-23)"),
        ("*/0 * * * *", "'*/0' is not a minute (0-59)"),
        ("1, * * * *", "'1,' is not a minute (0-59)"),
        ("\u0663 * * * *", "'\u0663' is not a minute (0-59)"),
        ("*/1234567890 * * * *", "'*/1234567890' is not a minute (0-59)"),
    ],
)
def test_invalid_cron_expressions(expression, problem):
    assert find_cron_problem(expression) == problem


def test_names_are_refused_where_the_platform_takes_numbers():
    assert find_cron_problem("0 5 * * MON", names=False) == "'MON' is not a day of the week (0-7)"
