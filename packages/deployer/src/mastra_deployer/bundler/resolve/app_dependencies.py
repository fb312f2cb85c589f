"""Lock an app's own dependencies, and the requirements of its server and target."""

from __future__ import annotations

from collections.abc import Iterable

from mastra_core.pipeline import Platform, Project, Report, Target
from mastra_deployer.bundler.resolve.closure import Closure, lock_closure
from mastra_deployer.bundler.resolve.requirement_overrides import OWN_DISTRIBUTIONS
from mastra_deployer.project.wsgi_entry import WSGI_ADAPTER

__all__ = ("lock_dependencies",)


def lock_dependencies(
    project: Project,
    target: Target,
    platform: Platform,
    kind: str,
    report: Report,
    modules: Iterable[str] = (),
) -> Closure:
    """Resolve and lock the dependencies of an app.

    :param project: the app.
    :param target: the target, whose runtime requirements are included.
    :param platform: the platform to build for.
    :param kind: ``mastra``, ``asgi`` or ``wsgi``.
    :param report: receives progress and notes.
    :param modules: dotted names that the app imports or has in strings.
    :raises BuildError: when the requirements cannot be resolved.
    """
    own = OWN_DISTRIBUTIONS if kind == "mastra" else ()
    adapter = (WSGI_ADAPTER,) if kind == "wsgi" else ()
    requirements = (*target.requirements, *adapter)
    return lock_closure(project, platform, requirements, own, report, modules)
