"""Find the modules of a distribution that cannot be imported without a requirement.

A large distribution has a module for each package that it can be used with, and declares these
packages as optional. If a bundle does not contain such a package, the module for it is useless.

The first build of an app reads all modules of all dependencies. To save time, a module is parsed
only if a line imports a requirement, and only up to the last such line at the top level.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mastra_deployer.bytecode.module_imports_child import REQUIRED, read_module_imports

__all__ = ("RequiredImports", "format_reason", "parse_reason")

_TRY = b"\ntry:"
# Patterns that begin with a line break are found three times as fast as those with ^.
_STATEMENT = re.compile(rb"\n(?!except\b|else\b|finally\b)(?=[^\s#)\]}])")
_REASON = re.compile(r"it cannot be imported without '([\w.]+)'")


class RequiredImports:
    """Finds the imports of a distribution's requirements in the distribution's modules.

    A requirement counts only if its import has the name of the distribution: ``google-genai`` is
    imported as ``google_genai`` or ``google.genai``.

    :param requirements: the canonical names of the requirements to find.
    """

    def __init__(self, requirements: Iterable[str]) -> None:
        self._names = {name.replace("-", it) for name in requirements for it in ("_", ".")}
        listed = "|".join(map(re.escape, sorted(self._names))).encode()
        self._pattern = re.compile(rb"\n([ \t]*)(?:from|import)[ \t]+(?:" + listed + rb")\b")

    def find(self, name: str, source: bytes) -> frozenset[str]:
        """Return the names of the requirements without which a module cannot be imported.

        :param name: the path of the module, relative to the installation directory.
        :param source: the source of the module.
        """
        end = max(self._iter_ends(b"\n" + source), default=0) if self._names else 0
        if not end:
            return frozenset()
        module = name.removesuffix(".py").replace("/", ".")
        is_package = module.endswith(".__init__")
        facts = read_module_imports(  # type: ignore[no-untyped-call]  # other Pythons read it
            source[: end - 1], module.removesuffix(".__init__"), is_package, is_own=False
        )
        imported = {part for module, _ in facts[REQUIRED] for part in _iter_parents(module)}
        return frozenset(self._names & imported)

    def _iter_ends(self, source: bytes) -> Iterator[int]:
        """Yield the end of each statement at the top level that imports a requirement.

        :param source: the source of the module, after a line break.
        """
        for match in self._pattern.finditer(source):
            if not match[1] or _is_in_try(source, match.start()):
                following = _STATEMENT.search(source, match.end())
                yield following.end() if following else len(source)


def format_reason(name: str) -> str:
    """Return the reason for which a module does not ship.

    :param name: the dotted name without which the module cannot be imported.
    """
    return f"it cannot be imported without {name!r}"


def parse_reason(reason: str) -> str:
    """Return the dotted name in a reason that ``format_reason`` wrote, else an empty string.

    :param reason: the reason for which a file does not ship.
    """
    found = _REASON.fullmatch(reason)
    return found[1] if found else ""


def _is_in_try(source: bytes, position: int) -> bool:
    """Return whether a line belongs to the body of a ``try`` at the top level."""
    start = source.rfind(_TRY, 0, position)
    if start < 0:
        return False
    return re.search(rb"\n[^\s#)\]}]", source[start + len(_TRY) : position]) is None


def _iter_parents(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]
