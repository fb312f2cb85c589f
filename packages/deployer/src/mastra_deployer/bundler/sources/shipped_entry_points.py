"""Read the entry points of distributions from the texts of ``entry_points.txt`` files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ("read_entry_points",)

_REFERENCE = re.compile(r"[\w.]+:[\w.]+")


def read_entry_points(texts: Iterable[str], group: str) -> dict[str, str]:
    """Return the entry points of a group, each name mapped to ``module:attribute``.

    If several entry points have the same name, the first one is used. An entry point without both
    a module and an attribute is left out.

    :param texts: the contents of the files; a text that no installer can read has no entry points.
    :param group: the name of the group, such as ``console_scripts``.
    """
    found: dict[str, str] = {}
    for text in texts:
        if group in text:
            for name, reference in _iter_entries(text, group):
                found.setdefault(name, reference)
    return found


def _iter_entries(text: str, group: str) -> Iterator[tuple[str, str]]:
    import configparser  # most projects have no entry points

    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names have upper case
    try:
        parser.read_string(text)
    except configparser.Error:
        return
    if parser.has_section(group):
        for name, value in parser.items(group):
            reference = value.partition("[")[0].replace(" ", "")
            if _REFERENCE.fullmatch(reference):
                yield name, reference
