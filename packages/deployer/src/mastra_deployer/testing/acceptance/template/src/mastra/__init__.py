"""The application for the acceptance suite."""
