"""The acceptance suite: one application and one set of requests for all runtimes."""
