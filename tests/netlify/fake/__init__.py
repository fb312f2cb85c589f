"""A stateful fake of Netlify's API over HTTP, for tests: `FakeNetlify`.

It differs from the platform in one point: the services with the logs have the API's host.
"""

from tests.netlify.fake.server import FakeNetlify

__all__ = ("FakeNetlify",)
