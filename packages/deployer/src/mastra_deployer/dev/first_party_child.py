"""Import the project's own modules without outdated bytecode."""

import sys
import time
from importlib import machinery
from pathlib import Path

OTHERS = ("site-packages", "dist-packages", "node_modules")
FRESH = 2  # seconds; bytecode records the time of its source in whole seconds only
_replaced = {}


class FirstPartyLoader(machinery.SourceFileLoader):
    """Python's own loader, but with other rules for new bytecode and for the entry file.

    A file that was just saved gets no bytecode. If two saves within a second had the same size, the
    bytecode of the first save would seem to be current. When the entry file is imported,
    ``deployer=`` is removed from its source.
    """

    def get_data(self, path):
        return _replaced.get(Path(path).resolve()) or super().get_data(path)

    def path_stats(self, path):
        if Path(path).resolve() in _replaced:
            raise OSError  # existing bytecode belongs to the original text
        return super().path_stats(path)

    def set_data(self, path, data, *, _mode=0o666):
        if time.time() - Path(self.path).stat().st_mtime > FRESH:
            super().set_data(path, data, _mode=_mode)


def install(roots):
    """Use the loader for all modules below ``roots``, except installed packages."""
    roots = [Path(root).resolve() for root in roots]
    kinds = (
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (FirstPartyLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )

    def finder(path):
        directory = Path(path).resolve()
        is_installed = set(OTHERS) & set(directory.parts)
        is_own = any(directory.is_relative_to(root) for root in roots)
        if not is_own or not directory.is_dir() or is_installed:
            raise ImportError("The module is not part of the project.", path=path)
        return machinery.FileFinder(path, *kinds)

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()


def replace(file, content):
    """Make later reads of the module ``file`` return ``content``."""
    _replaced[Path(file).resolve()] = content
