"""Read facts about an app from its source, without running the app."""
