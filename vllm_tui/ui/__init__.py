"""The screens. Imports textual; nothing below does."""
