"""Routes that send messages into threads and subscribe to them."""
