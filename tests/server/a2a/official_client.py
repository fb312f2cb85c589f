"""The official client of A2A, for an agent of a running server."""

import contextlib

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, SendMessageRequest


@contextlib.asynccontextmanager
async def connect(url, agent="shop", *, version="1.0", streaming=True, headers=None):
    """Give the agent's card, and a client that has read it."""
    headers = {**(headers or {}), "A2A-Version": version}
    path = f".well-known/{agent}/agent-card.json"
    async with httpx.AsyncClient(trust_env=False, timeout=20, headers=headers) as http:
        card = await A2ACardResolver(http, f"{url}/api", path).get_agent_card()
        wanted = [
            each for each in card.supported_interfaces if each.protocol_version.startswith(version)
        ]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(wanted)
        config = ClientConfig(httpx_client=http, streaming=streaming)
        yield card, ClientFactory(config).create(card)


def build_message(text, **fields):
    """Build the request that sends a text."""
    message = Message(message_id="m1", role=Role.ROLE_USER, parts=[Part(text=text)], **fields)
    return SendMessageRequest(message=message)


async def send(client, text, **fields):
    """Send a text, and return all events of the response."""
    return [event async for event in client.send_message(build_message(text, **fields))]


def get_text(artifact):
    """Return the text of an artifact."""
    return "".join(part.text for part in artifact.parts)
