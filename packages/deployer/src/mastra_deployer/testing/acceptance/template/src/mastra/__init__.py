"""The application that the acceptance suite serves."""
