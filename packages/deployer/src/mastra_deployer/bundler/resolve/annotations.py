"""Read the requirers and the index of each package from uv's annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from packaging.utils import canonicalize_name

__all__ = ("ANNOTATE", "PROJECT", "Annotation", "parse_annotations")

ANNOTATE = ("--annotation-style", "line", "--emit-index-annotation")
PROJECT = ""  # the requirer that is the project itself, or one of mastra's own input files

_LINE = re.compile(
    r"^([\w.-]+)(?:\[[^\]]*\])?(?:==\S+| @ \S+)[^#\n]*# via (.+)(?:\n +# from (\S+))?",
    re.MULTILINE,
)


class Annotation(NamedTuple):
    """What uv writes about one package.

    :param requirers: canonical names of the packages that require the package; ``PROJECT`` stands
        for the project.
    :param index_url: the URL of the index that has the package; empty if there is none.
    """

    requirers: frozenset[str]
    index_url: str


def parse_annotations(text: str) -> dict[str, Annotation]:
    """Return the annotation of each package by its canonical name.

    :param text: the output of ``uv pip compile`` with the options in ``ANNOTATE``.
    """
    return {
        canonicalize_name(name): Annotation(frozenset(_iter_requirers(via)), url)
        for name, via, url in _LINE.findall(text)
    }


def _iter_requirers(via: str) -> Iterator[str]:
    for item in via.split(", "):
        if not item.startswith(("--override ", "-c ")):
            is_project = item.startswith("-r ") or item.endswith((".toml", ")"))
            yield PROJECT if is_project else canonicalize_name(item)
