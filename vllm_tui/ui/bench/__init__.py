"""The bench of tool calls on the screen: what is to be asked, what came of it, and how both are drawn."""
