"""The acceptance suite of an application: one app and one set of requests for every runtime."""
