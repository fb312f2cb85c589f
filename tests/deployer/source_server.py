"""Serves an application from source: python source_server.py IMPORT_ROOT MODULE:ATTRIBUTE"""

import importlib
import sys

import uvicorn


def main(root, entry):
    sys.path[0] = root
    module, _, attribute = entry.partition(":")
    app = getattr(importlib.import_module(module), attribute)
    core = sys.modules.get("mastra_core")
    if core is not None and isinstance(app, core.Mastra):
        from mastra_server import create_app

        app = create_app(app)
    uvicorn.run(app, host="127.0.0.1", port=0, log_level="info")


if __name__ == "__main__":
    main(*sys.argv[1:])
