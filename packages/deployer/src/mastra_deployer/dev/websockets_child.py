"""End the WebSockets of an app version that was replaced."""

import asyncio
import contextlib

RESTART = 1012  # the close code "service restart", after which clients connect again
MESSAGE_GRACE = 0.15  # seconds in which the app may read a message that was just sent


class OpenWebSockets:
    """The open WebSockets; idle ones are closed when the version is replaced.

    A WebSocket is idle while the app waits for the client's next message.
    """

    def __init__(self):
        self.restart = asyncio.Event()

    def close_idle(self):
        """Close each WebSocket when it is idle."""
        self.restart.set()

    async def run(self, app, scope, receive, send):
        """Run the app for one WebSocket."""
        socket = WebSocket(self.restart, receive, send)
        try:
            await app(scope, socket.receive, socket.send)
        except asyncio.CancelledError:
            if not asyncio.current_task().cancelling():  # the app raises it
                raise
            await socket.close()
        except Exception:
            if not socket.has_closed:  # else the app only reports the disconnect
                raise


class WebSocket:
    """The messages of one WebSocket between the server and the app."""

    def __init__(self, restart, receive, send):
        self.restart = restart
        self.receive_message, self.send_message = receive, send
        self.has_closed = False

    async def receive(self):
        """Return the next message, or a disconnect if the app restarts before a message arrives."""
        message = asyncio.ensure_future(self.receive_message())
        restart = asyncio.ensure_future(self.restart.wait())
        try:
            await asyncio.wait({message, restart}, return_when=asyncio.FIRST_COMPLETED)
            if not message.done():
                await asyncio.wait({message}, timeout=MESSAGE_GRACE)
            if message.done():
                return message.result()
        finally:
            restart.cancel()
            message.cancel()
        await self.close()
        return {"type": "websocket.disconnect", "code": RESTART}

    async def send(self, message):
        if not self.has_closed:
            return await self.send_message(message)
        if message["type"] != "websocket.close":
            raise ConnectionResetError("The WebSocket is closed.")
        return None

    async def close(self):
        self.has_closed = True
        with contextlib.suppress(Exception):  # the client or the app has closed it
            await self.send_message({"type": "websocket.close", "code": RESTART})


def is_websocket(connection):
    """Return whether a connection of uvicorn is a WebSocket."""
    return ".websockets." in type(connection).__module__
