"""Warn before a deploy replaces what another tool has deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from mastra_core.pipeline import Report

__all__ = ("warn_about_other_tool",)

T = TypeVar("T")


def warn_about_other_tool(
    report: Report,
    resource: str,
    items: Iterable[T],
    is_own: Callable[[T], bool],
    *,
    hint: str,
) -> None:
    """Warn if only other tools have deployed a resource, because it may belong to another app.

    A deployer often names the resource like the app's project, so two apps may use the same
    resource by mistake.

    :param report: receives the warning.
    :param resource: the resource, such as ``project 'shop'``.
    :param items: the newest deployments of the resource; without any, there is no warning.
    :param is_own: returns whether mastra made a deployment.
    :param hint: a hint on how to choose another resource, or to restore this one.
    """
    known = list(items)
    if known and not any(map(is_own, known)):
        report.warn(f"The {resource} exists, and was deployed by another tool.", hint)
