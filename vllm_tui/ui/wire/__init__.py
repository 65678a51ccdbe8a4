"""The wire on the screen: exchanges, their events, and what can be taken away."""
