"""Tool calls on the screen: who is asked, what is known of each, and what the person decides."""
