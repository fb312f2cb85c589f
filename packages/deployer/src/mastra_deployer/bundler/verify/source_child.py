"""Runs in the project's Python: imports the entry from source and reports what it has.

mastra never imports user code into its own process. Only the standard library is used, and the
`mastra_core` of the project's environment.
"""

import importlib
import importlib.util
import inspect
import json
import os
import sys


def main(launcher_path, import_root, module_name, attribute):
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the app prints must not get into the report
    sys.path[0] = import_root
    spec = importlib.util.spec_from_file_location("mastra_launcher", launcher_path)
    launcher = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launcher)
    report = launcher.observe(lambda: look(module_name, attribute))
    json.dump(report, out)
    out.close()
    sys.stdout.flush()
    os._exit(0)  # threads that the app started must not keep the build


def look(module_name, attribute):
    module = importlib.import_module(module_name)
    core = sys.modules.get("mastra_core")
    here = {}
    if core is not None:
        here = {name: item for name, item in vars(module).items() if isinstance(item, core.Mastra)}
    found = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    objects = sorted({id(item): name for name, item in reversed(here.items())}.values())
    report = {"kind": kind_of(found, core), "objects": objects}
    if report["kind"] == "mastra":
        from mastra_core.agents.adapt import adapter_names
        from mastra_core.describe import describe

        report.update(describe(found), adapters=adapter_names())
        report["deployer"] = type(found.deployer).__name__ if found.deployer is not None else ""
    return report


def kind_of(found, core):
    if core is not None and isinstance(found, core.Mastra):
        return "mastra"
    if found is None:
        return "missing"
    if not callable(found):
        return f"of type {type(found).__name__}"
    kinds = ((3, "asgi"), (2, "a WSGI application"), (1, "asgi"), (0, "a factory"))
    return next((kind for count, kind in kinds if takes(found, count)), "a callable")


def takes(function, count):
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
