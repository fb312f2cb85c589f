"""``mastra dev``: the app from source, in a process of its own, begun anew at each save."""
