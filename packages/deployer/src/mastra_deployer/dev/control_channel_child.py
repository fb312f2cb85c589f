"""The child's side of the socket between an app version and its parent process."""

import contextlib
import json
import os
import queue
import socket
import sys
import threading

READ = 65536


class ControlChannel:
    """The socket to the parent; a thread reads it, even if an import hangs."""

    def __init__(self, channel):
        os.set_inheritable(channel, False)
        self.socket = socket.socket(fileno=channel)
        self.orders = queue.Queue()
        self.handlers = {}
        self.descriptors = []
        self.on_disconnect = lambda: os._exit(1)
        threading.Thread(target=self.listen, name="mastra-dev", daemon=True).start()

    def listen(self):
        rest = b""
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self.socket, READ, 1)
            except OSError:
                data = b""
            if not data:
                return self.on_disconnect()
            self.descriptors += descriptors
            *lines, rest = (rest + data).split(b"\n")
            for order in map(json.loads, lines):
                self.handlers.get(order["do"], self.orders.put)(order)

    def set_handlers(self, **handlers):
        """Set the function for each command, and call it for commands that already arrived."""
        self.handlers.update(handlers)
        while not self.orders.empty():
            order = self.orders.get()
            self.handlers[order["do"]](order)

    def wait(self, do):
        order = self.orders.get()
        if order["do"] != do:
            self.exit_process()  # the parent ended this version before its first use
        return order

    def receive_listener(self):
        listener = socket.socket(fileno=self.descriptors.pop())
        listener.set_inheritable(False)
        return listener

    def send_report(self, **report):
        with contextlib.suppress(OSError):  # the parent has ended; the thread handles that
            self.socket.sendall(json.dumps(report).encode() + b"\n")

    def exit_process(self):
        """End the process, even if threads of the app are still running."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
