"""Stages an app for one platform: code, dependencies, bytecode, and the proof that it starts."""
