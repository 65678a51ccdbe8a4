"""Token counts, their sources, and the figures of a turn."""
