"""Start the app of this bundle in the runtime of a function platform.

    app              the ASGI application, for a runtime that serves ASGI itself
    serve(listener)  serve on a bound socket, also one of AF_UNIX, until the process is stopped
    preload()        import the agents' modules, for a runtime that initializes before a request

Importing this file imports the app. The lifespan of the app runs once for each instance, at the
runtime's own lifespan event or at the first request. If the app cannot start, the response has
status 500, and the traceback is printed to stderr. After a failed start, the next request tries to
start the app again.

This file needs only the standard library. `mastra_deployer.kit.write_launcher` writes this file
into a bundle, with the constants below.
"""

import asyncio
import contextlib
import gc
import importlib
import operator
import os
import site
import socket
import sys
import threading
import traceback

APP = "mastra_asgi:app"
PATHS = ("app", "vendor")
REQUIRED = ()
HTTP = "auto"

HERE = os.path.dirname(os.path.abspath(__file__))
BODY = b'{"error":"The application cannot start."}'


class StartError(Exception):
    """The app cannot start; the message says why."""


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await run_lifespan(receive, send)
    try:
        user_app = await INSTANCE.start()
    except (Exception, SystemExit) as error:
        log_error(error)
        return await refuse(scope, send)
    if INSTANCE.state:
        scope = dict(scope, state={**scope.get("state", {}), **INSTANCE.state})
    await user_app(scope, receive, send)


def serve(listener, drain=5, **settings):
    """Serve the app with uvicorn and the app's settings; drain for `drain` seconds at the end."""
    with import_without_collection():
        import uvicorn

        config = uvicorn.Config(
            app,
            http=HTTP,
            ws="auto" if HTTP == "auto" else "none",
            # uvloop accepts no listener of AF_UNIX.
            loop="auto" if listener.family in (socket.AF_INET, socket.AF_INET6) else "asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=drain,
            **settings,
        )
        config.load()
    uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def import_without_collection():
    """Turn garbage collection off, because it would take a tenth of the time of the imports.

    Later garbage collections skip the imported objects, because these are never freed.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Instance:
    """The user's app, which is imported and then started once."""

    def __init__(self):
        self.state = {}
        self.imported = None
        # Of the first import; a later import may fail only because of the first one.
        self.failure = None
        self.reported = None
        self.lifespan = None
        self.lock = asyncio.Lock()

    def load(self):
        """Import the app; after a failure, the next call tries the import again."""
        if self.imported is None:
            check_environment()
            add_paths()
            try:
                self.imported = self.import_app()
            except (Exception, SystemExit) as error:
                self.failure = self.failure or error
                raise
            self.failure = None
        return self.imported

    def import_app(self):
        name, _, attribute = APP.partition(":")
        return operator.attrgetter(attribute)(importlib.import_module(name))

    async def start(self):
        """Return the started app; requests wait while the app starts."""
        if self.lifespan is None:
            async with self.lock:
                if self.lifespan is None:
                    self.state.clear()
                    lifespan = Lifespan(self.load(), self.state)
                    await lifespan.start()
                    self.lifespan = lifespan
                    start_preload(self.imported)
        return self.imported

    async def stop(self):
        if self.lifespan is not None:
            await self.lifespan.stop()


class Lifespan:
    """The lifespan of an ASGI app, in a separate task."""

    def __init__(self, app, state):
        self.app, self.state = app, state
        self.received, self.sent = asyncio.Queue(), asyncio.Queue()

    async def start(self):
        self.task = asyncio.ensure_future(self.run())
        message = await self.exchange("lifespan.startup")
        if message["type"] == "lifespan.startup.failed":
            raise StartError(message.get("message") or "The lifespan of the app failed.")

    async def stop(self):
        if not self.task.done():
            await self.exchange("lifespan.shutdown")

    async def exchange(self, event):
        await self.received.put({"type": event})
        return await self.sent.get()

    async def run(self):
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self.app(scope, self.received.get, self.sent.put)
        except Exception:  # an app that raises here has no lifespan
            pass
        await self.sent.put({"type": "lifespan.ended"})


async def run_lifespan(receive, send):
    """Start the app before the first request; if this fails, the first request tries again."""
    await receive()
    try:
        await INSTANCE.start()
    except (Exception, SystemExit) as error:
        log_error(error)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await INSTANCE.stop()
    await send({"type": "lifespan.shutdown.complete"})


async def refuse(scope, send):
    if scope["type"] != "http":
        return await send({"type": "websocket.close", "code": 1011})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def check_environment():
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if missing:
        raise StartError("Required environment variables are not set: %s." % ", ".join(missing))


def add_paths():
    """Import from the bundle first, but keep the runtime's own packages importable."""
    paths = [os.path.join(HERE, path) for path in PATHS]
    if paths[-1] not in sys.path:
        site.addsitedir(paths[-1])
    sys.path[:] = [*paths, *(path for path in sys.path if path not in paths)]
    prepare_children(paths)


def prepare_children(paths):
    """Let child Python processes import from the bundle and find its console scripts."""
    importlib.import_module("mastra_venv").activate(paths, os.path.join(HERE, "bin"))


def start_preload(user_app):
    """Import the agents' modules in a thread, while the first requests are answered."""
    if find_mastra(user_app) is not None:
        threading.Thread(target=preload, name="preload", daemon=True).start()


def preload():
    """Import the agents' modules; do nothing if the app could not be imported."""
    mastra = find_mastra(INSTANCE.imported)
    if mastra is not None:
        with import_without_collection():
            from mastra_core import preload as preload_mastra

            preload_mastra(mastra)


def find_mastra(user_app):
    return getattr(getattr(user_app, "state", None), "mastra", None)


def log_error(error):
    """Print why the app cannot start: first the whole traceback, later only its last line."""
    cause = error if isinstance(error, StartError) else INSTANCE.failure or error
    if isinstance(cause, StartError):
        text = "error: %s\n" % cause
    elif cause is INSTANCE.reported:
        last = traceback.format_exception_only(type(cause), cause)[-1]
        text = "error: The application still cannot start: %s" % last
    else:
        text = "".join(traceback.format_exception(type(cause), cause, cause.__traceback__))
        INSTANCE.reported = cause
    sys.stderr.write(text)
    sys.stderr.flush()


INSTANCE = Instance()
try:
    with import_without_collection():
        INSTANCE.load()  # while the platform allows time for the start of an instance
except (Exception, SystemExit):
    pass  # the first request tries again, and reports the error
