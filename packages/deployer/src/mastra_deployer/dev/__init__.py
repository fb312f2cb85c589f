"""``mastra dev`` runs the app from source in a separate process, and restarts it at each save."""
