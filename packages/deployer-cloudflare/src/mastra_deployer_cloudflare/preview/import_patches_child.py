"""Apply the patches of the Worker's SDK to modules that are imported, as Cloudflare's runtime does.

The runner makes this file the module ``_cloudflare.import_patch_manager`` in Pyodide.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# The registered patches, by the name of the module.
_create: dict[str, Any] = {}
_execute: dict[str, Any] = {}
_before_first_request: dict[str, Any] = {}
_after_snapshot: dict[str, Any] = {}


def _register(registry: dict[str, Any], name: str, patch: Any = None) -> Any:
    if patch is None:
        return partial(_register, registry, name)
    registry[name] = patch
    return patch


register_create_patch = partial(_register, _create)
register_exec_patch = partial(_register, _execute)
register_before_first_request = partial(_register, _before_first_request)
register_after_snapshot = partial(_register, _after_snapshot)


@contextlib.contextmanager
def _allow_authentication_key(_: ModuleType) -> Iterator[None]:
    """Allow ``multiprocessing`` to create its random key, which a Worker never uses."""
    from _cloudflare.allow_entropy import allow_bad_entropy_calls

    with allow_bad_entropy_calls(1):
        yield


@contextlib.contextmanager
def _count_temporary_names(module: Any) -> Iterator[None]:
    """Number temporary files, because their names are random otherwise."""
    yield
    random_names = module._RandomNameSequence  # noqa: SLF001  # the runtime does the same
    module._RandomNameSequence = lambda: map("{:08}".format, itertools.count())  # noqa: SLF001  # as above
    _BEFORE_FIRST_REQUEST.append(lambda: setattr(module, "_RandomNameSequence", random_names))


# Modules of the standard library, for which the runtime itself has patches.
_execute["multiprocessing.process"] = _allow_authentication_key
_execute["tempfile"] = _count_temporary_names


def block_calls(module: ModuleType, *, allowlist: Iterable[str] = ()) -> None:
    """Make the functions of a module fail during the import.

    :param module: the module.
    :param allowlist: names of the functions that continue to work.
    """
    for name, value in list(vars(module).items()):
        if callable(value) and name not in allowlist and not name.startswith("_"):
            _BLOCKED.append((module, name, value))
            setattr(module, name, _make_refusal(module.__name__, name))


def install_finder() -> None:
    """Apply patches to all modules that are imported from now on."""
    sys.meta_path.insert(0, _Finder())
    for name in _execute.keys() & sys.modules.keys():  # Pyodide itself has imported it
        with _execute[name](sys.modules[name]):
            pass


def prepare_first_request() -> None:
    """Remove the patches of the import phase, and call each of ``_BEFORE_FIRST_REQUEST``."""
    sys.meta_path[:] = [item for item in sys.meta_path if not isinstance(item, _Finder)]
    for module, name, value in _BLOCKED:
        setattr(module, name, value)
    for call in _BEFORE_FIRST_REQUEST:
        call()


_BLOCKED: list[tuple[ModuleType, str, Any]] = []
_BEFORE_FIRST_REQUEST: list[Callable[[], None]] = []


class _Finder:
    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        registries = (_create, _execute, _before_first_request)
        if not any(name in registry for registry in registries):
            return None
        for finder in sys.meta_path:
            if not isinstance(finder, _Finder) and (spec := finder.find_spec(name, path, target)):
                spec.loader = _Loader(spec.loader, name)  # type: ignore[assignment]  # like a loader
                return spec
        return None


class _Loader:
    def __init__(self, loader: Any, name: str) -> None:
        self._loader, self._name = loader, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        with _create.get(self._name, contextlib.nullcontext)(spec):
            return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if call := _before_first_request.get(self._name):
            _BEFORE_FIRST_REQUEST.append(partial(call, module))
        with _execute.get(self._name, contextlib.nullcontext)(module):
            self._loader.exec_module(module)


def _make_refusal(module: str, name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"Cannot use {module}.{name}() outside of request context")

    return refuse
