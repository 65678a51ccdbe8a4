"""The transcript: a document drawn line by line."""
