"""Which distributions of which versions ship, locked for one platform."""
