"""Saves that the watcher of files reports."""

import asyncio
import contextlib
import os

import watchfiles

from mastra_core.pipeline import SilentReport
from mastra_deployer.dev.watch import FileWatcher
from mastra_deployer.project.discovery import find_project
from tests.sample_projects import ECHO, write_project

INDEX = "src/mastra/index.py"


async def watch_as_on_macos(*paths, awatch=watchfiles.awatch, **options):
    """FSEvents reports the real path of a file, whatever path is watched."""
    async for changes in awatch(*paths, **options):
        yield {(kind, os.path.realpath(path)) for kind, path in changes}  # noqa: ASYNC240  # quick


async def collect_saves(watcher, files):
    """Write files until each save was reported."""
    found = set()
    while not found.issuperset(files):
        for file in files.values():
            file.write_text(file.read_text() + "#\n")
        with contextlib.suppress(TimeoutError):
            found |= await asyncio.wait_for(watcher.wait_for_changes(), 0.5)
    return found


def test_project_behind_a_link(tmp_path, monkeypatch):
    monkeypatch.setattr(watchfiles, "awatch", watch_as_on_macos)
    root = write_project(
        tmp_path / "real",
        {"src/mastra/index.py": ECHO, "src/helper.py": "", "prompts/hello.txt": "", ".env": ""},
        '[tool.mastra.build]\ninclude = ["prompts/*.txt"]\n',
    )
    link = tmp_path / "link"
    link.symlink_to(root)
    names = ("src/mastra/index.py", "src/helper.py", "prompts/hello.txt", ".env")

    async def run():
        watcher = FileWatcher(find_project(link), None, SilentReport())
        try:
            files = {name: root / name for name in names}
            return await asyncio.wait_for(collect_saves(watcher, files), 20)
        finally:
            watcher.stop()

    assert asyncio.run(run()) == set(names)


def test_a_save_before_further_directories_are_watched_is_reported(tmp_path):
    root = write_project(tmp_path / "app", {"src/mastra/index.py": ECHO})
    sibling = write_project(tmp_path / "sibling", {"src/shop/words.py": ""}) / "src"
    project = find_project(root)

    async def run():
        watcher = FileWatcher(project, None, SilentReport())
        try:
            await asyncio.wait_for(collect_saves(watcher, {INDEX: root / INDEX}), 20)
            with contextlib.suppress(TimeoutError):
                while True:  # until nothing is reported any more
                    await asyncio.wait_for(watcher.wait_for_changes(), 0.5)
            (root / INDEX).write_text(f"{ECHO}# saved\n")
            watcher.update_project(project, (sibling,))
            assert await asyncio.wait_for(watcher.wait_for_changes(), 10) == {INDEX}
            words = {"../sibling/src/shop/words.py": sibling / "shop/words.py"}
            await asyncio.wait_for(collect_saves(watcher, words), 20)
        finally:
            watcher.stop()

    asyncio.run(run())
