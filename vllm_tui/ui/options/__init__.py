"""The parts of the settings screen: rows, editor, help, and what the server makes of a value."""
