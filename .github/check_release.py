"""Check that a tag and the packages agree: `python .github/check_release.py v0.1.0`.

The release workflow runs this script before it builds anything. The versions are written in each
pyproject.toml, not derived from git: `mastra build` puts wheels of these packages into bundles,
and a version that depends on commits would change the bytes of a bundle whose sources are equal.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = ("packages/*/pyproject.toml", "examples/mastra-deployer-*/pyproject.toml")


def main(arguments: list[str]) -> int:
    """Print every problem of the release and return the exit code.

    :param arguments: the tag, such as ``v0.1.0``.
    """
    if len(arguments) != 1:
        print("Usage: python .github/check_release.py TAG", file=sys.stderr)
        return 2
    problems = find_problems(ROOT, arguments[0])
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def find_problems(root: Path, tag: str) -> list[str]:
    """Return one sentence for each thing that must change before the tag can be released.

    :param root: the root of the repository.
    :param tag: the tag, such as ``v0.1.0``.
    """
    projects = [path for pattern in PROJECTS for path in sorted(root.glob(pattern))]
    if not projects:
        return [f"There are no packages in {root}."]
    problems = []
    for project in projects:
        shown = project.relative_to(root)
        version = read_version(project)
        if tag != f"v{version}":
            problems.append(f"{shown} has version {version!r}, and the tag is {tag!r}.")
        changelog = project.with_name("CHANGELOG.md")
        if changelog.exists() and not is_dated(changelog.read_text("utf-8"), version):
            heading = f"## {version} (YYYY-MM-DD)"
            problems.append(f"{changelog.relative_to(root)} has no section {heading!r}.")
    return problems


def read_version(project: Path) -> str:
    """Return the version that a pyproject.toml states.

    :param project: the path of the pyproject.toml.
    """
    return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])


def is_dated(changelog: str, version: str) -> bool:
    """Return whether the changelog has a section for the version with the day of its release.

    :param changelog: the text of a CHANGELOG.md.
    :param version: the version, such as ``0.1.0``.
    """
    heading = rf"^## {re.escape(version)} \(\d{{4}}-\d{{2}}-\d{{2}}\)$"
    return re.search(heading, changelog, re.MULTILINE) is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
