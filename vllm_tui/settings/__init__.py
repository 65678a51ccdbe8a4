"""Options, where their values come from, and the files they are kept in."""
