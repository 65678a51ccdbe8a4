"""Recording and replay of wire traffic."""
