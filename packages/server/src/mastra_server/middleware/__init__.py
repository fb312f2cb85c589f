"""Layers around the application: the user's own, CORS, limits, metrics, spans."""
