"""A stateful fake of Cloudflare's API over HTTP, for tests: `FakeCloudflare`."""

from tests.cloudflare.fake.server import FakeCloudflare, RecordedRequest

__all__ = ("FakeCloudflare", "RecordedRequest")
