"""``mastra new ci``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from mastra_core.errors import ConfigError
from mastra_deployer.cli.options import Options, project_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.suggest import suggest
from mastra_deployer.scaffold.ci import Pipeline, read_pipeline
from mastra_deployer.scaffold.render import filled, write_files

__all__ = ("new_ci",)

_SYSTEMS = ("github", "gitlab")
_BRANCH = re.compile(r"[A-Za-z0-9][\w./-]*")
_URL = """python -c 'import json, sys; print(json.load(sys.stdin)["deployment"]["url"])'"""
_TOLD = {
    "github": f"""\
url=$({_URL} < "$RUNNER_TEMP/deployment.json")
echo "url=$url" >> "$GITHUB_OUTPUT\"""",
    "gitlab": f"""\
- url=$({_URL} < .mastra-local/ci/deployment.json)
- echo "URL=$url" | tee .mastra-local/ci/deploy.env""",
}


@click.command("ci")
@click.argument("system")
@click.option("-t", "--target", default="", help="Where to deploy; the only one by default.")
@click.option("--branch", default="main", help="What is pushed here goes to production: main.")
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@project_options
def new_ci(options: Options, system: str, target: str, branch: str, force: bool) -> None:
    """Write the pipeline of SYSTEM: github or gitlab.

    It tests, bundles without credentials, deploys that bundle as a preview of a pull request and
    to production from the branch, and rolls back by hand.
    """
    if system not in _SYSTEMS:
        raise ConfigError(f"There are no files for {system!r}.", suggest(system, _SYSTEMS))
    if not _BRANCH.fullmatch(branch):
        raise ConfigError(f"{branch!r} is no branch of this kind.", "Pass --branch main.")
    project = find_project(options.directory, options.app)
    pipeline = read_pipeline(project, target)
    top = _repository(project.root)
    write = _github if system == "github" else _gitlab
    written = write(pipeline, top, branch, force=force)
    secrets = [_secret(name) if system == "github" else name for name in pipeline.secrets]
    Terminal(as_json=options.as_json).answer(
        {"files": [str(path) for path in written], "secrets": secrets, "target": pipeline.target},
        *(f"Wrote {path}." for path in written),
        *_next(system, written[0], top, secrets),
    )


def _github(pipeline: Pipeline, top: Path, branch: str, *, force: bool) -> list[Path]:
    place = pipeline.root.relative_to(top).as_posix()
    nested = place != "."
    locked = "--locked " if pipeline.locked else ""
    values = {
        **_shared(pipeline, place, _secret),
        "NAME": f"mastra-{pipeline.root.name}" if nested else "mastra",
        "branch": json.dumps(branch),
        "secrets": _lines(pipeline.secrets, _mapped),
        "credentials": _lines(pipeline.credentials, _mapped),
        "install": "\n".join(pipeline.install),
        "told": _TOLD["github"],
        "bundle": f'mastra bundle "$TARGET" {locked}-o "$RUNNER_TEMP/bundle"',
        "here": "working-directory: ." if nested else "",
        "defaults": f"defaults:\n  run:\n    working-directory: {place}\n" if nested else "",
    }
    values["prepare"] = filled("ci/github-steps", values)["prepare"].rstrip()
    return write_files(_assembled("github", pipeline, values), top, force=force)


def _gitlab(pipeline: Pipeline, top: Path, branch: str, *, force: bool) -> list[Path]:
    place = pipeline.root.relative_to(top).as_posix()
    locked = "--locked " if pipeline.locked else ""
    values = {
        **_shared(pipeline, place, str),
        "branch": json.dumps(branch),
        "install": _lines(pipeline.install, lambda line: f"- {line}"),
        "enter": f"- cd {place}" if place != "." else "",
        "unset": f"- unset {' '.join(pipeline.secrets)}" if pipeline.secrets else "",
        "told": _TOLD["gitlab"],
        "bundle": f'- mastra bundle "$TARGET" {locked}-o .mastra-local/ci/bundle',
    }
    # A project below the repository's root is included from there; the root's file is not ours.
    return write_files(_assembled("gitlab", pipeline, values), pipeline.root, force=force)


def _shared(pipeline: Pipeline, place: str, name_of: Callable[[str], str]) -> dict[str, str]:
    smoke = f"--smoke {pipeline.smoke}" if pipeline.smoke else ""
    back = "--rollback-on-failure" if pipeline.rollback else ""
    return {
        "target": json.dumps(pipeline.target),
        "python": pipeline.python,
        "test": pipeline.test,
        "smoke": smoke,
        "care": f"{smoke} {back}".strip(),
        "place": f"{place}/" if place != "." else "",
        "listed": _lines(map(name_of, pipeline.secrets), lambda name: f"#   {name}"),
    }


def _assembled(system: str, pipeline: Pipeline, values: dict[str, str]) -> dict[str, str]:
    """The file, with those jobs that the target can do."""
    jobs = {
        name: text.rstrip() + "\n" for name, text in filled(f"ci/{system}-jobs", values).items()
    }
    wanted = {"preview": pipeline.previews, "rollback": pipeline.rollback}
    chosen = {name: jobs[name] if there else "" for name, there in wanted.items()}
    files = filled(f"ci/{system}", {**values, **chosen})
    return {name: text.rstrip() + "\n" for name, text in files.items()}


def _lines(items: Iterable[str], line: Callable[[str], str]) -> str:
    return "\n".join(line(item) for item in items)


def _mapped(name: str) -> str:
    return f"{name}: ${{{{ secrets.{_secret(name)} }}}}"


def _secret(name: str) -> str:
    """A secret of GitHub may not begin with GITHUB_, and GITHUB_TOKEN is the job's own."""
    return f"APP_{name}" if name.upper().startswith("GITHUB_") else name


def _repository(root: Path) -> Path:
    """Where the repository begins; the project's own root outside of one."""
    places = [path for path in (root, *root.parents) if (path / ".git").exists()]
    return places[0] if places else root


def _next(system: str, written: Path, top: Path, secrets: list[str]) -> list[str]:
    where = {
        "github": "Settings > Environments, in production and preview",
        "gitlab": "Settings > CI/CD > Variables, masked, scoped to production and preview/*",
    }[system]
    lines = [f"Set there ({where}): {', '.join(secrets)}."] if secrets else []
    if system == "gitlab" and written.parent != top:
        lines.append(f"Include it in {top / '.gitlab-ci.yml'}: {written.relative_to(top)}.")
    return lines
