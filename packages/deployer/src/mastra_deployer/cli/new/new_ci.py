"""``mastra new ci``."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.suggest import suggest
from mastra_deployer.scaffold.ci import Pipeline, read_pipeline
from mastra_deployer.scaffold.render import render_template, write_files

__all__ = ("new_ci",)

_SYSTEMS = ("github", "gitlab")
_BRANCH = re.compile(r"[A-Za-z0-9][\w./-]*")
_URL = """python -c 'import json, sys; print(json.load(sys.stdin)["deployment"]["url"])'"""
_READ_URL = {
    "github": f"""\
url=$({_URL} < "$RUNNER_TEMP/deployment.json")
echo "url=$url" >> "$GITHUB_OUTPUT\"""",
    "gitlab": f"""\
- url=$({_URL} < .mastra-local/ci/deployment.json)
- echo "URL=$url" | tee .mastra-local/ci/deploy.env""",
}


@click.command("ci")
@click.argument("system", default="")
@click.option("-t", "--target", default="", help="Target to deploy to; default: the only target.")
@click.option(
    "--branch", default="main", help="Branch that is deployed to production; default: main."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@project_options
def new_ci(options: Options, system: str, target: str, branch: str, force: bool) -> None:
    """Write a pipeline for SYSTEM: github or gitlab.

    The pipeline tests and bundles the app without credentials. A pull request is deployed as a
    preview, unless it comes from a fork. A push to the branch is deployed to production. A rollback
    is a manual job.
    """
    if system not in _SYSTEMS:
        message = f"There is no pipeline for {system!r}." if system else "SYSTEM is missing."
        raise ConfigError(message, suggest(system, _SYSTEMS))
    if not _BRANCH.fullmatch(branch):
        raise ConfigError(f"{branch!r} is not a valid name of a branch.", "Pass --branch main.")
    project = find_project(options.directory, options.app)
    pipeline = read_pipeline(project, target)
    top = _find_repository(project.root)
    write = _write_github if system == "github" else _write_gitlab
    written = write(pipeline, top, branch, force=force)
    secrets = [_to_secret_name(name) if system == "github" else name for name in pipeline.secrets]
    terminal = Terminal(as_json=options.as_json)
    if error := pipeline.settings_error:
        terminal.note(
            f"A deploy by the pipeline would fail: {error.message}",
            f"Set it in [tool.mastra.targets.{pipeline.target}], and commit pyproject.toml.",
        )
    terminal.answer(
        {"files": [str(path) for path in written], "secrets": secrets, "target": pipeline.target},
        *(f"Wrote {path}." for path in written),
        *_list_next_steps(system, written[0], top, secrets),
    )


def _write_github(pipeline: Pipeline, top: Path, branch: str, *, force: bool) -> list[Path]:
    directory = pipeline.root.relative_to(top).as_posix()
    nested = directory != "."
    locked = "--locked " if pipeline.locked else ""
    values = {
        **_build_values(pipeline, _to_secret_name),
        "NAME": f"mastra-{pipeline.root.name}" if nested else "mastra",
        "branch": json.dumps(branch),
        "secrets": _join_lines(pipeline.secrets, _format_secret),
        "credentials": _join_lines(pipeline.credentials, _format_secret),
        "install": "\n".join(pipeline.install),
        "read_url": _READ_URL["github"],
        "bundle": f'mastra bundle "$TARGET" {locked}-o "$RUNNER_TEMP/bundle"',
        "root_directory": "working-directory: ." if nested else "",
        "defaults": f"defaults:\n  run:\n    working-directory: {json.dumps(directory)}\n"
        if nested
        else "",
    }
    values["prepare"] = render_template("ci/github-steps", values)["prepare"].rstrip()
    return write_files(_render_files("github", pipeline, values), top, force=force)


def _write_gitlab(pipeline: Pipeline, top: Path, branch: str, *, force: bool) -> list[Path]:
    directory = pipeline.root.relative_to(top).as_posix()
    locked = "--locked " if pipeline.locked else ""
    values = {
        **_build_values(pipeline, str),
        "branch": json.dumps(branch),
        "install": _join_lines(pipeline.install, lambda line: f"- {line}"),
        "enter": f"- {json.dumps(f'cd {shlex.quote(directory)}')}" if directory != "." else "",
        "bundle_file": json.dumps(_join_path(directory, "bundle.tar")),
        "environment_file": json.dumps(_join_path(directory, "deploy.env")),
        "unset": f"- unset {' '.join(pipeline.secrets)}" if pipeline.secrets else "",
        "read_url": _READ_URL["gitlab"],
        "bundle": f'- mastra bundle "$TARGET" {locked}-o .mastra-local/ci/bundle',
    }
    # The repository's own .gitlab-ci.yml may exist, so the project's file is included from it.
    return write_files(_render_files("gitlab", pipeline, values), pipeline.root, force=force)


def _join_path(directory: str, name: str) -> str:
    """Return the path of a job's file, relative to the root of the repository."""
    return f"{directory}/.mastra-local/ci/{name}".removeprefix("./")


def _build_values(pipeline: Pipeline, name_of: Callable[[str], str]) -> dict[str, str]:
    smoke = f"--smoke {pipeline.smoke}" if pipeline.smoke else ""
    back = "--rollback-on-failure" if pipeline.rollback else ""
    return {
        "target": json.dumps(pipeline.target),
        "trust": f"MASTRA_TRUST: {json.dumps(' '.join(pipeline.trust))}" if pipeline.trust else "",
        "python": pipeline.python,
        "test": pipeline.test,
        "smoke": smoke,
        "deploy_flags": f"{smoke} {back}".strip(),
        "secret_names": _join_lines(map(name_of, pipeline.secrets), lambda name: f"#   {name}"),
    }


def _render_files(system: str, pipeline: Pipeline, values: dict[str, str]) -> dict[str, str]:
    """Render the pipeline, with only those jobs that the target supports."""
    jobs = _render_trimmed(f"ci/{system}-jobs", values)
    supported = {"preview": pipeline.previews, "rollback": pipeline.rollback}
    selected = {name: jobs[name] if is_on else "" for name, is_on in supported.items()}
    return _render_trimmed(f"ci/{system}", {**values, **selected})


def _render_trimmed(template: str, values: dict[str, str]) -> dict[str, str]:
    files = render_template(template, values)
    return {name: text.rstrip() + "\n" for name, text in files.items()}


def _join_lines(items: Iterable[str], line: Callable[[str], str]) -> str:
    return "\n".join(line(item) for item in items)


def _format_secret(name: str) -> str:
    return f"{name}: ${{{{ secrets.{_to_secret_name(name)} }}}}"


def _to_secret_name(name: str) -> str:
    """Return a name for a secret of GitHub, which must not begin with GITHUB_."""
    return f"APP_{name}" if name.upper().startswith("GITHUB_") else name


def _find_repository(root: Path) -> Path:
    """Return the root of the repository; without a repository, the root of the project."""
    roots = [path for path in (root, *root.parents) if (path / ".git").exists()]
    return roots[0] if roots else root


def _list_next_steps(system: str, file: Path, top: Path, secrets: list[str]) -> list[str]:
    where = {
        "github": "Settings > Environments, in production and preview",
        "gitlab": "Settings > CI/CD > Variables, masked, scoped to production and preview/*",
    }[system]
    lines = [f"Set these secrets in {where}: {', '.join(secrets)}."] if secrets else []
    if system == "gitlab" and file.parent != top:
        lines.append(f"Include {file.relative_to(top)} in {top / '.gitlab-ci.yml'}.")
    return lines
