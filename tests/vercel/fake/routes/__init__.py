"""The API endpoints of the fake, one module for each subject."""
