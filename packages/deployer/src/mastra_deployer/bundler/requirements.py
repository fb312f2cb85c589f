"""What the project says it needs, in whichever file it says so."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mastra_core.errors import ConfigError
from mastra_deployer.config import read_pyproject
from mastra_deployer.wheels import build_wheel

__all__ = ("named", "project_requirements", "read_requirements")

_OPTION = re.compile(r"(-r|--requirement|-c|--constraint|-e|--editable)[ =]\s*(\S+)")


def project_requirements(root: Path) -> list[str]:
    """Requirement lines the project states itself; nothing of these is ever pruned."""
    table = read_pyproject(root).get("project", {})
    if "dependencies" in table.get("dynamic", ()):
        lines = _from_wheel(build_wheel(root))
    else:
        lines = list(table.get("dependencies", []))
    file = root / "requirements.txt"
    return [*lines, *(read_requirements(file) if file.is_file() else ())]


def read_requirements(file: Path, seen: frozenset[Path] = frozenset()) -> Iterator[str]:
    """The lines of a requirements file, included files in their place, paths made absolute.

    :raises ConfigError: for a file that is missing or not UTF-8.
    """
    for line in _text(file).replace("\\\n", " ").splitlines():
        option = _OPTION.match(line.strip())
        if option is None:
            local = line.strip().startswith((".", "/"))
            yield str((file.parent / line.strip()).resolve()) if local else line
            continue
        flag, path = option[1], (file.parent / option[2]).resolve()
        if flag in ("-r", "--requirement") and path not in seen:
            yield from read_requirements(path, seen | {file.resolve()})
        elif flag in ("-c", "--constraint"):
            yield from (f"-c {path}", *(f"# {item}" for item in read_requirements(path)))
        elif flag in ("-e", "--editable"):
            yield str(path)


def named(lines: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Canonical names in requirement lines, each with all extras asked for."""
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        try:
            item = Requirement(re.sub(r"\s+(#|--hash).*", "", line).rstrip())
        except InvalidRequirement:  # an option, a path or a comment: it has no name to keep
            continue
        name = canonicalize_name(item.name)
        found[name] = found.get(name, frozenset()) | item.extras
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{str(file)!r} is not UTF-8.", "Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(
            f"{str(file)!r} cannot be read: {error.strerror}.", "Correct the line that names it."
        ) from None


def _from_wheel(wheel: Path) -> list[str]:
    """Requirements that only the project's build backend knows."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(item for item in archive.namelist() if item.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(name).decode())
    lines = headers.get_all("Requires-Dist") or []
    return [line for line in lines if "extra ==" not in line]
