"""Layers around the application: the user's middleware, CORS, limits, metrics, spans."""
