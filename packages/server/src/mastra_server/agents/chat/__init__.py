"""Chats of the AI SDK: routes, requests and streams."""
