"""Start a staged bundle in isolation, and send its app one request without a network.

This module runs in the Python of the target. The module uses only the standard library and the
bundle.
"""

import asyncio
import contextlib
import gc
import importlib.util
import operator
import os
import sys

TIMEOUT = 10  # seconds for one request, and for the startup of a lifespan
PATH = "/mastra-start-check"  # no route of an app


def main(index, source_child, websocket_routes_child):
    gc.disable()  # as in the launcher; the process ends after the imports and one request
    launcher = load_module("mastra_launcher", index)
    source = load_module("mastra_source", source_child)
    websocket_routes = load_module("mastra_websocket_routes", websocket_routes_child)
    bundle = launcher.read_manifest(launcher.HERE)
    launcher.check_python(bundle)
    paths = [os.path.join(launcher.HERE, path) for path in bundle["paths"]]
    launcher.isolate(paths)
    launcher.prepare_children(paths)
    attempts = record_imports()
    launcher.check(
        bundle,
        lambda *imported: inspect_app(launcher, source, websocket_routes, attempts, *imported),
    )


def record_imports():
    """Return the set that receives the names of all modules that the app tries to import."""
    attempts = set()

    class Recorder:
        @staticmethod
        def find_spec(name, *_):
            attempts.add(name)

    sys.meta_path.insert(0, Recorder)
    return attempts


def load_module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def inspect_app(launcher, source, websocket_routes, attempts, bundle, module):
    """Return the app's registry, its kind, and its response to a request."""
    registry = launcher.describe_app(bundle, module)
    app = operator.attrgetter(bundle["app"].partition(":")[2])(module)
    kind = source.get_kind(app, None)
    dependencies = os.path.join(launcher.HERE, bundle["paths"][-1])
    if kind != "asgi":
        return {**registry, "kind": kind, "uncompiled": list_uncompiled(dependencies)}
    prefix = registry.get("serve", {}).get("api_prefix", "")
    path = prefix + "/agents" if bundle["kind"] == "mastra" else PATH
    request = send_request(launcher, bundle, app, path)
    if bundle["kind"] == "mastra":
        import_server(app)
        registry["started"] = sorted({spec.name for spec in iter_specs(launcher.HERE)})
        registry["tried"] = sorted(attempts)
    else:
        registry["websockets"] = websocket_routes.list_websocket_paths(app)
    registry["standard"] = list_standard_modules()
    registry["uncompiled"] = list_uncompiled(dependencies)
    return {**registry, "kind": kind, "request": request}


def list_uncompiled(directory):
    """Return the files in a directory that were imported as modules without bytecode."""
    specs = [spec for spec in iter_specs(directory) if spec.cached]
    files = {spec.origin for spec in specs if not os.path.exists(spec.cached)}
    return sorted(os.path.relpath(file, directory).replace(os.sep, "/") for file in files)


def list_standard_modules():
    """Return the names of imported standard modules that come from a ``.py`` file."""
    return sorted(
        name
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in sys.stdlib_module_names
        and str(getattr(module, "__file__", None)).endswith(".py")
    )


def iter_specs(directory):
    """Yield the specs of the imported modules that are in the bundle."""
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        origin = getattr(spec, "origin", None)
        if isinstance(origin, str) and origin.startswith(directory + os.sep):
            yield spec


def import_server(app):
    """Import the modules of the bundle that a started server and its first streams import."""
    with contextlib.suppress(ImportError):
        importlib.import_module("anyio._backends._asyncio")
    with contextlib.suppress(ImportError):  # the platform may have a server of its own
        import uvicorn

        config = uvicorn.Config(app, log_config=None)
        config.load()
        config.get_loop_factory()


def send_request(launcher, bundle, app, path):
    """Return the status of an app's response, and the exception that reached the server.

    The lifespan of the app runs only if the request fails without it. The startup of the app may
    need services that the build machine does not have.
    """
    stack = app if bundle["kind"] == "mastra" else build_stack(app)
    loop = asyncio.new_event_loop()  # never closed: the process ends without waiting for the app
    asyncio.set_event_loop(loop)
    response = Response()
    try:
        loop.run_until_complete(response.run(stack, path))
        if response.error is not None and response.status is None:
            response = Response()
            loop.run_until_complete(response.run_with_lifespan(stack, path))
    except TimeoutError:
        return {"status": response.status, "error": None}
    error = response.error
    return {
        "status": 500 if response.is_silent else response.status,  # what a server answers then
        "error": None if error is None else launcher.format_error(error),
        "service": response.startup_failed or isinstance(error, OSError),
    }


def build_stack(app):
    """Wrap an app as uvicorn does, so that an ASGI 2 app becomes an ASGI 3 app."""
    try:
        import uvicorn
    except ImportError:  # the platform has a server of its own
        return app
    config = uvicorn.Config(app, ws="none", log_config=None)
    config.load()
    return config.loaded_app


class Response:
    """An app's response to one request."""

    def __init__(self):
        self.status = None
        self.error = None
        self.is_silent = False
        self.startup_failed = False
        self.state = {}

    async def run(self, stack, path):
        received = [{"type": "http.request", "body": b"", "more_body": False}]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost"), (b"accept", b"*/*")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 3000),
            "state": self.state,
        }

        async def receive():
            if received:
                return received.pop()
            return await asyncio.Event().wait()  # the client stays connected

        async def send(message):
            if message["type"] == "http.response.start":
                self.status = message["status"]

        try:
            await asyncio.wait_for(stack(scope, receive, send), TIMEOUT)
        except TimeoutError:
            raise
        except Exception as error:  # noqa: BLE001  # any error of the app is reported
            self.error = error
        else:
            self.is_silent = self.status is None

    async def run_with_lifespan(self, stack, path):
        """Start the app's lifespan, send the request, and shut the lifespan down."""
        received, sent = asyncio.Queue(), asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        received.put_nowait({"type": "lifespan.startup"})

        async def run_lifespan():
            try:
                await stack(scope, received.get, sent.put)
            except Exception as error:  # noqa: BLE001  # without a lifespan an app may raise
                self.startup_failed = isinstance(error, OSError)
            sent.put_nowait({"type": ""})

        task = asyncio.ensure_future(run_lifespan())
        message = await asyncio.wait_for(sent.get(), TIMEOUT)
        if message["type"] == "lifespan.startup.failed":
            self.startup_failed = True
        await self.run(stack, path)
        if not task.done():
            received.put_nowait({"type": "lifespan.shutdown"})
            await asyncio.wait([task], timeout=TIMEOUT)


if __name__ == "__main__":
    main(*sys.argv[1:])
