"""Import the entry from source in the project's Python, and report what it contains.

mastra never imports user code into its own process. This module uses only the standard
library and the `mastra_core` of the project's environment.
"""

import importlib
import importlib.util
import inspect
import json
import os
import sys


def main(launcher_path, import_root, module_name, attribute):
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keep the app's own output out of the report
    sys.path[0] = import_root
    spec = importlib.util.spec_from_file_location("mastra_launcher", launcher_path)
    launcher = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launcher)
    report = launcher.observe(lambda: inspect_entry(module_name, attribute))
    json.dump(report, out)
    out.close()
    sys.stdout.flush()
    os._exit(0)  # threads that the app started must not delay the build


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
        from mastra_core.agents.adapt import get_adapters
        from mastra_core.describe import describe, find_missing_providers

        report.update(describe(entry), adapters=get_adapters())
        report["missing"] = find_missing_providers(entry)
        report["deployer"] = type(entry.deployer).__name__ if entry.deployer is not None else ""
    return report


def get_kind(entry, core):
    if core is not None and isinstance(entry, core.Mastra):
        return "mastra"
    if entry is None:
        return "missing"
    if not callable(entry):
        return f"of type {type(entry).__name__}"
    kinds = ((3, "asgi"), (2, "a WSGI application"), (1, "asgi"), (0, "a factory"))
    return next((kind for count, kind in kinds if accepts_arguments(entry, count)), "a callable")


def accepts_arguments(function, count):
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
