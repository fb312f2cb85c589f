"""Make the bundle of an app for a target, or reuse the existing bundle."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

from mastra_core.pipeline import Bundle, Platform
from mastra_deployer.files.atomic_replace import (
    choose_temporary_parent,
    repair_directory,
    replace_directory,
    require_replaceable,
)
from mastra_deployer.files.build_lock import hold_build_lock
from mastra_deployer.files.directories import (
    convert_project_errors,
    ensure_local_directory,
    get_vendor_reuse_directory,
)
from mastra_deployer.files.path_encoding import require_utf8
from mastra_deployer.files.refuse_links import refuse_links
from mastra_deployer.files.temporary import temporary_directory
from mastra_deployer.files.written_files import keep_written_files
from mastra_deployer.pipeline.choose_platform import apply_index_setting, choose_platform
from mastra_deployer.pipeline.choose_preview_platform import choose_preview_platform
from mastra_deployer.pipeline.session import Session
from mastra_deployer.project.settings import remove_secrets

__all__ = ("make_bundle", "make_preview_bundle")


def make_bundle(session: Session, output: Path | None = None, *, reuse: bool = True) -> Bundle:
    """Build, check, bundle and inspect the app, and replace the output with the result.

    :param session: the app and the target.
    :param output: the bundle's directory; ``None`` for this target's default.
    :param reuse: whether to return the bundle in ``output`` if nothing changed since its build. A
        bundle that is made with ``reuse=False`` is not reused later.
    :raises MastraError: at the first error; the output is then unchanged.
    """
    platforms = session.hooks.target.platforms
    platform = choose_platform(session.project, platforms, session.python, session.wheels)
    return _make_bundle(session, platform, (output or session.output).absolute(), reuse=reuse)


def make_preview_bundle(session: Session) -> Bundle:
    """Make the bundle that a preview on this machine runs.

    If the bundle for a deploy also runs on this machine, the preview uses it. If it does not, and
    the target allows native previews, the function makes a bundle for this machine in another
    directory.

    :param session: the app and the target.
    :raises ConfigError: before anything is built, when no bundle for the target runs here.
    :raises MastraError: at the first error, as in ``make_bundle``.
    """
    choice = choose_preview_platform(
        session.project, session.hooks.target, session.python, session.wheels, session.report
    )
    output = session.output
    if choice.is_local:
        output = session.project.local_directory / "previews" / output.name
    return _make_bundle(session, choice.platform, output.absolute(), reuse=True)


def _make_bundle(session: Session, platform: Platform, destination: Path, *, reuse: bool) -> Bundle:
    platform = apply_index_setting(platform, session.hooks.target, session.settings)
    require_utf8(session.project.root, "the project", "Rename the directory, or move the project.")
    refuse_links(session.project.root, destination)
    require_replaceable(destination)  # before the work of a build
    session.report_file_variables(session.project.environment)
    # The bundler is loaded on use: most commands build nothing.
    from mastra_deployer.bundler.sources.module_code import share_parsed_modules

    with hold_build_lock(session.project, session.report), share_parsed_modules():
        repair_directory(destination)
        facts = _hash_inputs(session, platform) if reuse else ""
        with convert_project_errors(session.project.root):
            return _reuse(session, destination, platform, facts) or _build_and_bundle(
                session, destination, platform, facts
            )


def _hash_inputs(session: Session, platform: Platform) -> str:
    if session.hooks.has_hook("build"):  # the inputs of a deployer's own build are unknown
        return ""
    from mastra_deployer.pipeline.up_to_date import hash_build_inputs

    settings = remove_secrets(session.settings)
    return hash_build_inputs(session.project, platform, settings, session.hooks.source_paths)


def _reuse(session: Session, destination: Path, platform: Platform, facts: str) -> Bundle | None:
    """Return the existing bundle if a new build would make the same one, or else ``None``."""
    from mastra_deployer.bundler.metadata.build_state import load_build_state
    from mastra_deployer.pipeline.up_to_date import compute_current_fingerprint

    state = load_build_state(session.project, destination) if facts else None
    if state is None or state.facts != facts:
        return None
    target, kind = session.hooks.target, state.manifest.kind
    fingerprint = compute_current_fingerprint(session.project, target, platform, kind)
    if fingerprint != state.manifest.fingerprint or not state.is_current(destination):
        return None
    session.report.step("Nothing has changed")
    bundle = Bundle(directory=destination, manifest=state.manifest)
    problems = session.hooks.inspect(bundle, remove_secrets(session.settings))
    session.report_problems([*state.problems, *problems])
    session.hooks.notify_reused(bundle, session.report)
    return bundle


def _build_and_bundle(
    session: Session, destination: Path, platform: Platform, facts: str
) -> Bundle:
    from mastra_deployer.bundler.metadata.build_state import save_build_state
    from mastra_deployer.bundler.vendor.vendor_reuse import save_vendor_directory
    from mastra_deployer.checks.app_problems import check_app

    local_path = ensure_local_directory(session.project)
    settings = remove_secrets(session.settings)
    with (
        temporary_directory(local_path) as temporary,
        temporary_directory(choose_temporary_parent(destination, local_path)) as sibling,
    ):
        directory = Path(temporary) / "build"
        directory.mkdir()
        build = session.hooks.build(session.project, platform, directory, session.report)
        app = check_app(session.project, session.hooks.target, build, session.environ)
        problems = [*session.hooks.check(build, settings), *app]
        session.report_problems(problems)
        staged = Path(sibling) / "bundle"
        staged.mkdir()
        session.report.step(f"Bundling for {session.choice.name}")
        bundle = session.hooks.bundle(build, staged, settings, session.report)
        session.report_problems(session.hooks.inspect(bundle, settings))
        keep_written_files(session.project, destination, staged, session.report)
        replace_directory(staged, destination)
        save_vendor_directory(staged, get_vendor_reuse_directory(session.project))
    if facts:
        with contextlib.suppress(OSError):  # without the state, the next build is a full build
            save_build_state(session.project, destination, facts, bundle.manifest, problems)
    return dataclasses.replace(bundle, directory=destination)
