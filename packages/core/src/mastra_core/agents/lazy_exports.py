"""Import the type modules of a model SDK on first use, not when the SDK is imported.

OpenAI's SDK imports 470 modules of types, and an agent needs a third of them. A type package
contains nothing but ``from .module import Name``. ``enable_lazy_exports`` lets the import system
run a type package without importing its modules. The first use of a name imports the module that
defines the name. A package that contains any other statement is imported as usual.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ("enable_lazy_exports",)

_PACKAGES = ("openai.types", "anthropic.types")
_IGNORED = ("annotations", "__builtins__", "__doc__")  # names that a package may bind itself


def enable_lazy_exports() -> None:
    """Let the type packages of model SDKs import their modules on first use.

    Call this before the SDK is imported. A second call has no effect.
    """
    if not any(isinstance(finder, _LazyExportFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LazyExportFinder())


class _Export(NamedTuple):
    """The module and the attribute from which a package imports a name.

    :param source: the absolute name of the module.
    :param attribute: a name that this module defines, or the name of a submodule if ``source`` is
        the package itself.
    """

    source: str
    attribute: str


class _LazyExportFinder(MetaPathFinder):
    """Finds packages in which a model SDK defines its types, and leaves others to other finders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a type package, with a loader that postpones its imports.

        :param fullname: the absolute name of the module.
        :param path: the directories that contain the parent package's modules.
        :param target: unused.
        """
        if not _is_in_packages(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not spec.submodule_search_locations:
            return None
        if type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = _LazyExportLoader(fullname, spec.loader.path)
        return spec


def _is_in_packages(name: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in _PACKAGES)


class _LazyExportLoader(SourceFileLoader):
    """Runs a package that contains only relative imports, and postpones these imports."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the package.

        :param module: the new module.
        """
        exports = self._run_without_imports(module)
        submodules = _list_submodules(Path(self.path).parent)
        if exports is None or _find_clash(exports, module.__name__, submodules):
            super().exec_module(module)
            return
        names = {*exports, *submodules}

        def get_attribute(name: str) -> Any:
            if name not in names:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            value = _load(exports.get(name, _Export(module.__name__, name)), module)
            setattr(module, name, value)
            return value

        module.__getattr__ = get_attribute  # type: ignore[method-assign]  # PEP 562
        module.__dir__ = lambda: sorted({*vars(module), *names})  # type: ignore[method-assign]  # PEP 562
        module.__all__ = sorted(exports)  # type: ignore[attr-defined]  # for `import *`

    def _run_without_imports(self, module: ModuleType) -> dict[str, _Export] | None:
        """Run the code with an ``import`` that only records what is imported.

        :param module: the new module.
        :returns: the exports; ``None`` if the package must be imported as usual.
        """
        code = self.get_code(module.__name__)
        if code is None:
            return None
        given = dict(vars(module))
        namespace = {**given, "__builtins__": {**vars(builtins), "__import__": _record_import}}
        try:
            exec(code, namespace)  # noqa: S102  # what the import system does too
        except Exception:  # noqa: BLE001  # the package uses what it imports
            return None
        added = {key: namespace[key] for key in namespace.keys() - given.keys() - {*_IGNORED}}
        exports = {key: value for key, value in added.items() if isinstance(value, _Export)}
        if len(exports) < len(added):
            return None
        module.__doc__ = namespace.get("__doc__")
        return exports


def _record_import(
    name: str,
    namespace: Mapping[str, Any],
    local_names: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """Return a stand-in for the module of a relative import; import any other module.

    :param name: the name in the import statement, without its leading dots.
    :param namespace: the globals of the package whose code contains the import statement.
    :param local_names: the local names at the import statement; at module level, these are the
        globals.
    :param names: the imported names.
    :param level: the number of leading dots.
    """
    if not level:
        return builtins.__import__(name, namespace, local_names, names or (), level)
    if not names or "*" in names:
        raise ImportError(
            f"The names that {name!r} exports are not known before {name!r} is imported."
        )
    return _ModuleProxy(resolve_name("." * level + name, namespace["__package__"]))


class _ModuleProxy:
    """Stands in for a module; each attribute is the export of that name.

    :param name: the absolute name of the module.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> _Export:
        return _Export(self._name, attribute)


def _find_clash(exports: Mapping[str, _Export], package: str, submodules: set[str]) -> bool:
    """Return whether an export has the name of a submodule, whose import would replace the export.

    :param exports: the exports of a package.
    :param package: the name of the package.
    :param submodules: the names of the package's submodules.
    """
    return any(exports[name] != _Export(package, name) for name in exports.keys() & submodules)


def _list_submodules(directory: Path) -> set[str]:
    return {
        each.name.partition(".")[0]
        for each in directory.iterdir()
        if each.suffix in (".py", ".pyc", ".so", ".pyd") or each.is_dir()
    } - {"__init__", "__pycache__"}


def _load(export: _Export, package: ModuleType) -> Any:
    """Import the object that a public name of a package refers to.

    :param export: the module and the attribute that the public name refers to.
    :param package: the package.
    """
    if export.source != package.__name__:
        source = import_module(export.source)
        if hasattr(source, export.attribute):
            return getattr(source, export.attribute)
    return import_module(f"{export.source}.{export.attribute}")
