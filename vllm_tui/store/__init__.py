"""Conversations on disk: one SQLite file, one worker thread, nothing lost when the program is killed."""
