"""Routes of logs and traces, and the stores that hold them."""
