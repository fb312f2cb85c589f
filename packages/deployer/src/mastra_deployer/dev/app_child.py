"""Import the app, describe it and serve it, in the project's Python.

Commands arrive over a socket, one JSON object per line, and reports are sent back in the same way.
The command ``go`` starts the import. The command ``serve`` brings the listening socket. Later, the
commands ``page``, ``debug``, ``leave`` and ``cancel`` may arrive. When the parent ends, the socket
is closed, and this process ends too.
"""

import asyncio
import base64
import contextlib
import importlib.util
import itertools
import logging
import os
import signal
import site
import sys
import threading
import time
from pathlib import Path

ACCEPT_GRACE = 0.15  # seconds in which a new connection may send its request
DEBUGGER_INTERVAL = 0.25  # seconds between two attempts to listen for a debugger
DEBUGGER_ATTEMPTS = 20  # attempts after which a note is printed
ORPHAN_DRAIN = 2  # seconds that running requests get when the parent has died
ORPHAN_GRACE = 3  # seconds after the drain until a process without a parent is killed


def main(launcher_path, channel, root):
    names = ("first_party_child", "middleware_child", "routes_child", "local_access_child")
    parts = [load_module(name) for name in (*names, "websockets_child")]
    link = load_module("control_channel_child").ControlChannel(int(channel))
    launcher = load_module("mastra_launcher", launcher_path)
    source = load_module("source_child", HERE.parent / "bundler" / "verify" / "source_child.py")
    source.set_import_root(root)
    # Child processes must not record bytecode of a file that was just saved: see FirstPartyLoader.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    # Ctrl-C reaches every process of the terminal; the parent handles it and sends an order.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # the parent has blocked it
    app = App(link, launcher, source, *parts)
    app.prepare(link.wait("prepare"))
    if app.run_import(link.wait("go")):
        link.wait("serve")
        app.serve(link.receive_listener())
    link.exit_process()


def load_module(name, path=""):
    """Load a file as a module, without adding its directory to the import path."""
    path = path or HERE / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"mastra_dev_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class App:
    """The user's application in this process."""

    def __init__(self, link, launcher, source, first_party, middleware, routes, access, sockets):
        self.link = link
        self.launcher, self.source, self.routes = launcher, source, routes
        self.first_party, self.middleware_module = first_party, middleware
        self.access_module, self.sockets = access, sockets
        self.orders = {}
        self.server = None  # once it starts

    def prepare(self, orders):
        """Set the import path, and import the libraries, which all reloads share."""
        self.orders = orders
        for directory in orders["runtime"]:
            site.addsitedir(directory)  # last on the path: the project's own packages come first
        self.first_party.install(orders["roots"])
        for name in orders["preload"]:
            # An app that imports the module raises the error itself.
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        self.link.send_report(event="prepared")

    def run_import(self, order):
        """Import the app, and report its registry or its error."""
        if order["source"] is not None:
            self.first_party.replace(order["file"], base64.b64decode(order["source"]))
        if order["debug"]:
            self.start_debugger(order["debug"], wait=True)
        report = self.launcher.observe(lambda: self.import_app(order))
        report["preload"] = [name for name in order["steady"] if name in sys.modules]
        report["places"] = [path for path in sys.path if Path(path).name in PACKAGES]
        self.link.send_report(event="imported", **report)
        return report["ok"] and report["registry"]["kind"] in KINDS

    def import_app(self, order):
        found = self.source.inspect_entry(order["module"], order["attribute"])
        if found["kind"] not in KINDS:
            return found
        import uvicorn  # noqa: F401  # a missing uvicorn must be reported now

        target = sys.modules[order["module"]]
        for part in order["attribute"].split("."):
            target = getattr(target, part)
        found.update(self.routes.describe_routes(target, found["kind"]))
        access = self.build_access(target, found["kind"])
        if found["kind"] == "mastra":
            # This is the project's mastra_server, not that of the mastra command.
            target = importlib.import_module("mastra_server").create_app(target)
        elif found["kind"] == "wsgi":
            target = wrap_wsgi(target)
        elif not self.source.accepts_arguments(target, 3):
            target = wrap_asgi2(target)
        quiet = self.orders["quiet"]
        self.open_sockets = self.sockets.OpenWebSockets()
        self.middleware = self.middleware_module.DevMiddleware(
            target, quiet, access, self.open_sockets
        )
        return found

    def build_access(self, target, kind):
        """Build the rules for web pages, including the app's CORS settings."""
        cors = target.server.cors if kind == "mastra" else None
        origins = cors.origins if cors else None
        address, hosts = self.orders["address"], self.orders["hosts"]
        return self.access_module.LocalAccess("mastra dev", address, hosts, origins)

    def serve(self, listener):
        import uvicorn

        uvicorn_log = logging.getLogger("uvicorn.error")
        uvicorn_log.disabled = True  # the parent reports a start that fails
        if os.environ.get("MASTRA_TRACEBACKS") != "full":
            uvicorn_log.addFilter(self.summarize_record)
        self.log = uvicorn_log
        self.config = uvicorn.Config(
            self.middleware, log_config=None, access_log=False, server_header=False
        )
        self.link.on_disconnect = self.exit_orphaned
        self.link.set_handlers(
            page=self.show_page,
            debug=self.attach_debugger,
            leave=self.request_shutdown,
            cancel=self.cancel_requests,
        )
        mixin = type("AppServer", (DrainingServer,), {"app": self})
        self.launcher.serve_one(self.config, listener, mixins=(mixin,))

    def summarize_record(self, record):
        """Replace a traceback in uvicorn's log with the user's own frames."""
        error = record.exc_info and record.exc_info[1]
        if error:
            # By its path: the project's environment may lack mastra_core.
            path = Path(self.launcher.__file__).with_name("exception_summary.py")
            module = load_module("exception_summary", path)
            summary, frames = module.summarize_exception(error)
            text = "\n    ".join([f"{record.getMessage().strip()}: {summary}", *frames])
            record.msg, record.args, record.exc_info, record.exc_text = text, (), None, None
        return True

    def report_start(self, server):
        if server.started:
            self.log.disabled = False
            return self.link.send_report(event="serving")
        error = self.middleware.error or RuntimeError("the app's lifespan did not start")
        return self.link.send_report(event="failed", error=self.launcher.format_error(error))

    def show_page(self, order):
        self.middleware.page = order["page"]

    def attach_debugger(self, order):
        address = order["address"]
        threading.Thread(target=self.listen_for_debugger, args=(address,), daemon=True).start()

    def listen_for_debugger(self, address):
        """Listen for a debugger when the previous version has released the address."""
        for count in itertools.count():
            try:
                return self.start_debugger(address, wait=False)
            except Exception as error:  # noqa: BLE001  # any error of debugpy is reported
                if count == DEBUGGER_ATTEMPTS:
                    self.link.send_report(event="note", text=f"No debugger can attach yet: {error}")
                time.sleep(DEBUGGER_INTERVAL)
        return None

    def start_debugger(self, address, wait):
        import debugpy  # noqa: T100  # --debug needs it

        host, _, port = address.rpartition(":")
        debugpy.configure(python=sys.executable)
        debugpy.listen((host, int(port)))  # noqa: T100  # see above
        self.link.send_report(event="debugger")
        if wait:
            debugpy.wait_for_client()  # noqa: T100  # see above

    def request_shutdown(self, order):
        """Refuse new requests; end when the active requests end, or after ``drain`` seconds."""
        self.config.timeout_graceful_shutdown = order["drain"]
        os.kill(os.getpid(), signal.SIGTERM)

    def cancel_requests(self, _order=None):
        """Cancel the active requests, so that the process can end."""
        if self.server is not None:
            self.server.loop.call_soon_threadsafe(self.server.cancel_tasks)

    def exit_orphaned(self):
        """End this process after the parent has ended: drain, and exit at a deadline."""
        self.request_shutdown({"drain": ORPHAN_DRAIN})
        time.sleep(ORPHAN_DRAIN)
        self.cancel_requests()
        time.sleep(ORPHAN_GRACE)
        os._exit(1)


class DrainingServer:
    """A mixin for uvicorn's server that reports its start and drains all connections."""

    app = None
    loop = None
    has_closed = False

    async def startup(self, sockets=None):
        self.loop = asyncio.get_running_loop()
        self.app.server = self
        try:
            await super().startup(sockets)
        finally:  # some versions of uvicorn raise SystemExit
            self.app.report_start(self)

    def handle_exit(self, sig, frame):
        if sig == signal.SIGINT:  # Ctrl-C in the terminal; the parent sends an order
            return
        super().handle_exit(sig, frame)
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.close_listeners)

    def close_listeners(self):
        """Stop accepting connections at once, because the next version accepts them now."""
        if not self.has_closed:
            self.has_closed = True
            for server in self.servers:
                server.close()
            self.app.link.send_report(event="closed", requests=len(self.server_state.tasks))

    async def shutdown(self, sockets=None):
        self.close_listeners()
        await asyncio.sleep(ACCEPT_GRACE)
        self.app.open_sockets.close_idle()
        for connection in self.server_state.connections:
            if self.app.sockets.is_websocket(connection):
                connection.shutdown = do_nothing  # uvicorn's shutdown would close it at once
        await super().shutdown(sockets)

    def cancel_tasks(self):
        for task in self.server_state.tasks:
            task.cancel()


def do_nothing():
    pass


def wrap_wsgi(target):
    """Convert a WSGI application to an ASGI 3 application, as in a bundle."""
    from a2wsgi import WSGIMiddleware

    return WSGIMiddleware(target, workers=WSGI_THREADS)


def wrap_asgi2(target):
    """Convert an ASGI 2 application, which is called twice, to an ASGI 3 application."""

    async def app(scope, receive, send):
        await target(scope)(receive, send)

    return app


HERE = Path(__file__).resolve().parent
KINDS = ("mastra", "asgi", "wsgi")
PACKAGES = ("site-packages", "dist-packages")
WSGI_THREADS = 40

if __name__ == "__main__":
    main(*sys.argv[1:])
