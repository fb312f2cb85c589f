"""Import the entry from source in the project's Python, and report its contents.

mastra never imports user code into its own process. This module uses only the standard
library and the `mastra_core` of the project's environment.
"""

import gc
import importlib
import importlib.util
import inspect
import json
import os
import sys


def main(launcher_path, import_root, module_name, attribute):
    gc.disable()  # as in the launcher; the process ends after the imports
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keep the app's own output out of the report
    set_import_root(import_root)
    spec = importlib.util.spec_from_file_location("mastra_launcher", launcher_path)
    launcher = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launcher)
    report = launcher.observe(lambda: inspect_entry(module_name, attribute))
    json.dump(report, out)
    out.close()
    sys.stdout.flush()
    os._exit(0)  # threads that the app started must not delay the build


def set_import_root(root):
    """Make the project's modules importable in this process and in its Python child processes."""
    sys.path[0] = root
    previous = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, previous)))


def inspect_entry(module_name, attribute):
    module = importlib.import_module(module_name)
    core = sys.modules.get("mastra_core")
    applications = {}
    if core is not None:
        applications = {
            name: item for name, item in vars(module).items() if isinstance(item, core.Mastra)
        }
    entry = module
    for part in attribute.split("."):
        entry = getattr(entry, part, None)
    objects = sorted({id(item): name for name, item in reversed(applications.items())}.values())
    report = {"kind": get_kind(entry, core), "objects": objects}
    if report["kind"] == "mastra":
        from mastra_core.describe import describe, find_missing_providers

        report.update(describe(entry))
        report["missing"] = find_missing_providers(entry)
        report["deployer"] = type(entry.deployer).__name__ if entry.deployer is not None else ""
    return report


def get_kind(entry, core):
    """Return ``mastra``, ``asgi``, ``wsgi``, ``missing``, or a description of the object."""
    if core is not None and isinstance(entry, core.Mastra):
        return "mastra"
    if entry is None:
        return "missing"
    if not callable(entry):
        return f"of type {type(entry).__name__}"
    return get_class_kind(entry) if inspect.isclass(entry) else get_callable_kind(entry)


def get_callable_kind(entry):
    """Return ``asgi``, ``wsgi`` or another kind, by the arguments that the object accepts."""
    if accepts_arguments(entry, 2) and (not accepts_arguments(entry, 3) or has_wsgi_names(entry)):
        return "wsgi"
    is_asgi2 = accepts_arguments(entry, 1) and "scope" in get_parameters(entry)
    if accepts_arguments(entry, 3) or is_asgi2:
        return "asgi"
    if inspect.isfunction(entry) and accepts_arguments(entry, 0):
        return "a factory"
    return f"of type {type(entry).__module__}.{type(entry).__qualname__}"


def get_class_kind(entry):
    """Return the kind of a class; an ASGI server makes an instance of it for each request."""
    if hasattr(entry, "__await__") or "scope" in get_parameters(entry):
        return "asgi"
    return f"the class {entry.__qualname__}"


def has_wsgi_names(function):
    """Return whether a function with three arguments is WSGI, by the names of its arguments."""
    return bool({"environ", "env", "start_response"} & set(get_parameters(function)[:2]))


def get_parameters(function):
    try:
        return list(get_signature(function).parameters)
    except (TypeError, ValueError):
        return []


def accepts_arguments(function, count):
    try:
        get_signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def get_signature(function):
    """Return the signature of a function, without evaluating its annotations.

    By default, Python 3.14 evaluates them, which fails for a name that only a type checker imports.
    """
    if sys.version_info < (3, 14):
        return inspect.signature(function)
    from annotationlib import Format

    return inspect.signature(function, annotation_format=Format.STRING)


if __name__ == "__main__":
    main(*sys.argv[1:])
