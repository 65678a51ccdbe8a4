"""The scripted server behind --demo."""
