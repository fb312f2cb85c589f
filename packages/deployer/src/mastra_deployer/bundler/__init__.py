"""Stage an app for one platform: its code, dependencies and bytecode, started once in isolation."""
