"""Stage code, dependencies and bytecode for one platform, and start the app in isolation."""
