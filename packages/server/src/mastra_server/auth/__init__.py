"""Authentication: API keys, JSON Web Tokens, and the guards that check them."""
