"""Widgets: each is given what it shows and says what was done to it."""
