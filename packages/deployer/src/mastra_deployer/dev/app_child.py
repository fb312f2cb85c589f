"""Runs in the project's Python: imports the app from source, says what it has, and serves it.

Orders come over a socket, one JSON object a line, and reports go back the same way: ``go`` starts
the import, ``serve`` brings the listening socket, and then ``page``, ``debug`` and ``leave``. The
end of that socket is the end of the parent, however it died, and this process follows it.
"""

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

BREATH = 0.15  # seconds in which a connection that was just accepted sends its request
PAUSE = 0.25  # seconds between two attempts to listen for a debugger
OFFERS = 20  # attempts after which it is worth a word
LAST = 3  # seconds beyond the drain after which a process without a parent is ended


def main(launcher_path, channel, root):
    parts = [by_path(name) for name in ("first_party_child", "middleware_child", "routes_child")]
    link = by_path("control_channel_child").Link(int(channel))
    launcher = by_path("mastra_launcher", launcher_path)
    source = by_path("source_child", HERE.parent / "bundler" / "verify" / "source_child.py")
    sys.path[0] = root
    # Of Ctrl-C, which reaches every process of the terminal, the parent makes an order.
    signal.signal(signal.SIGINT, lambda *_: None)
    app = App(link, launcher, source, *parts)
    app.prepare(link.wait("prepare"))
    if app.begin(link.wait("go")):
        link.wait("serve")
        app.serve(link.listener())
    link.leave()


def by_path(name, path=""):
    """A file as a module, without its directory among those that the app imports from."""
    path = path or HERE / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"mastra_dev_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class App:
    """The user's application in this process."""

    def __init__(self, link, launcher, source, first_party, front, routes):
        self.link = link
        self.launcher, self.source, self.routes = launcher, source, routes
        self.first_party, self.front_module = first_party, front
        self.orders = {}

    def prepare(self, orders):
        """What no save changes: where modules come from, and libraries that stay the same."""
        self.orders = orders
        for directory in orders["runtime"]:
            site.addsitedir(directory)  # last on the path: the project's own packages win
        self.first_party.install(orders["root"])
        for name in orders["preload"]:
            # If the app wants that module, it will say itself what is wrong.
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        self.link.say(event="prepared")

    def begin(self, order):
        """Import the app and say what it has, or what is wrong with it."""
        if order["source"] is not None:
            self.first_party.replace(order["file"], base64.b64decode(order["source"]))
        if order["debug"]:
            self.debug(order["debug"], wait=True)
        report = self.launcher.observe(lambda: self.imported(order))
        report["preload"] = [name for name in order["steady"] if name in sys.modules]
        report["places"] = [path for path in sys.path if Path(path).name in PACKAGES]
        self.link.say(event="imported", **report)
        return report["ok"] and report["registry"]["kind"] in ("mastra", "asgi")

    def imported(self, order):
        found = self.source.look(order["module"], order["attribute"])
        if found["kind"] not in ("mastra", "asgi"):
            return found
        import uvicorn  # noqa: F401  # if it is not there, the parent wants to know now

        target = sys.modules[order["module"]]
        for part in order["attribute"].split("."):
            target = getattr(target, part)
        found.update(self.routes.look(target, found["kind"]))
        if found["kind"] == "mastra":
            # Of the project's Python, not of the one that mastra is installed in.
            target = importlib.import_module("mastra_server").create_app(target)
        elif not self.source.takes(target, 3):
            target = two_calls(target)
        self.front = self.front_module.Front(target, quiet=self.orders["quiet"])
        return found

    def serve(self, listener):
        import uvicorn

        uvicorn_log = logging.getLogger("uvicorn.error")
        uvicorn_log.disabled = True  # a start that fails is told by the parent, in few words
        self.log = uvicorn_log
        self.link.handlers.update(page=self.show, debug=self.attach, leave=self.leave)
        self.link.orphaned = self.follow
        config = uvicorn.Config(
            self.front,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=self.orders["drain"],
        )
        self.launcher.serve_one(config, listener, mixins=(told_to_go(self),))

    def started(self, server):
        if server.started:
            self.log.disabled = False
            return self.link.say(event="serving")
        error = self.front.error or RuntimeError("the app's lifespan did not start")
        return self.link.say(event="failed", error=self.launcher.told(error))

    def show(self, order):
        self.front.page = order["page"]

    def attach(self, order):
        threading.Thread(target=self.offer, args=(order["address"],), daemon=True).start()

    def offer(self, address):
        """Listen for a debugger as soon as the one of the version before has hung up."""
        for count in itertools.count():
            try:
                return self.debug(address, wait=False)
            except Exception as error:  # noqa: BLE001  # whatever debugpy says is passed on
                if count == OFFERS:
                    self.link.say(event="note", text=f"No debugger can attach yet: {error}")
                time.sleep(PAUSE)
        return None

    def debug(self, address, wait):
        import debugpy  # noqa: T100  # the user asked for it

        host, _, port = address.rpartition(":")
        debugpy.configure(python=sys.executable)
        debugpy.listen((host, int(port)))  # noqa: T100  # see above
        self.link.say(event="debugger")
        if wait:
            debugpy.wait_for_client()  # noqa: T100  # see above

    def leave(self, _order=None):
        os.kill(os.getpid(), signal.SIGTERM)

    def follow(self):
        """The parent has gone: finish what is running, and not later than that."""
        self.leave()
        time.sleep(self.orders["drain"] + LAST)
        os._exit(1)


def told_to_go(app):
    """How uvicorn's server tells the parent that it has begun, and that it takes no more."""
    import asyncio

    class Told:
        loop = None

        async def startup(self, sockets=None):
            self.loop = asyncio.get_running_loop()
            try:
                await super().startup(sockets)
            finally:  # some versions of uvicorn leave by SystemExit
                app.started(self)

        def handle_exit(self, sig, frame):
            super().handle_exit(sig, frame)
            if self.loop is not None:
                self.loop.call_soon_threadsafe(self.refuse)

        def refuse(self):
            """Leave new connections to the next version at once, not at the next tick."""
            if not app.log.disabled:
                app.log.disabled = True  # that a stream is cut off is no news for a terminal
                for server in self.servers:
                    server.close()
                app.link.say(event="closed")

        async def shutdown(self, sockets=None):
            self.refuse()
            await asyncio.sleep(BREATH)
            await super().shutdown(sockets)

    return Told


def two_calls(target):
    """An application of ASGI 2, which is called twice, as one of ASGI 3."""

    async def called(scope, receive, send):
        await target(scope)(receive, send)

    return called


HERE = Path(__file__).resolve().parent
PACKAGES = ("site-packages", "dist-packages")

if __name__ == "__main__":
    main(*sys.argv[1:])
