"""Routes that send messages to threads and subscribe to threads."""
