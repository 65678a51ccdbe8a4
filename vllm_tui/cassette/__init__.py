"""Record and replay of wire traffic, what to take away from it, and its timeline."""
