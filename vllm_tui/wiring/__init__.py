"""Joins the parts to a running program: settings to provider, store, engine and screen."""
