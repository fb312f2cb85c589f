"""How the project's own modules are imported: never from bytecode that a save has outdated."""

import sys
import time
from importlib import machinery
from pathlib import Path

OTHERS = ("site-packages", "dist-packages", "node_modules")
FRESH = 2  # seconds; bytecode knows the time of its source in whole seconds only
_replaced = {}


class FirstParty(machinery.SourceFileLoader):
    """Python's own loader, but for two things.

    A file that was just saved leaves no bytecode: saved again within the second, at the same
    size, it would pass for the old one. And the entry file is read without its deployer.
    """

    def get_data(self, path):
        return _replaced.get(Path(path).resolve()) or super().get_data(path)

    def path_stats(self, path):
        if Path(path).resolve() in _replaced:
            raise OSError  # whatever bytecode there is belongs to another text
        return super().path_stats(path)

    def set_data(self, path, data, *, _mode=0o666):
        if time.time() - Path(self.path).stat().st_mtime > FRESH:
            super().set_data(path, data, _mode=_mode)


def install(root):
    """Use it for everything below ``root`` that is not an installed package."""
    root = Path(root).resolve()
    kinds = (
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (FirstParty, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )

    def finder(path):
        place = Path(path).resolve()
        if not place.is_relative_to(root) or not place.is_dir() or set(OTHERS) & set(place.parts):
            raise ImportError("not the project's own", path=path)
        return machinery.FileFinder(path, *kinds)

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()


def replace(file, content):
    """Take ``content`` for what is in ``file``."""
    _replaced[Path(file).resolve()] = content
