"""The socket between a version of the app and its parent, as the version sees it."""

import contextlib
import json
import os
import queue
import socket
import sys
import threading

READ = 65536


class Link:
    """The socket to the parent, read by a thread, so that a hanging import hears its end too."""

    def __init__(self, channel):
        os.set_inheritable(channel, False)
        self.socket = socket.socket(fileno=channel)
        self.orders = queue.Queue()
        self.handlers = {}
        self.descriptors = []
        self.orphaned = lambda: os._exit(1)
        threading.Thread(target=self.listen, name="mastra-dev", daemon=True).start()

    def listen(self):
        rest = b""
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self.socket, READ, 1)
            except OSError:
                data = b""
            if not data:
                return self.orphaned()
            self.descriptors += descriptors
            *lines, rest = (rest + data).split(b"\n")
            for order in map(json.loads, lines):
                self.handlers.get(order["do"], self.orders.put)(order)

    def wait(self, do):
        order = self.orders.get()
        if order["do"] != do:
            self.leave()  # told to leave before it came to that
        return order

    def listener(self):
        listener = socket.socket(fileno=self.descriptors.pop())
        listener.set_inheritable(False)
        return listener

    def say(self, **report):
        with contextlib.suppress(OSError):  # the parent has gone; the other thread sees to it
            self.socket.sendall(json.dumps(report).encode() + b"\n")

    def leave(self):
        """End the process; threads that the app started must not keep it."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
