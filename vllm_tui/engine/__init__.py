"""The turn loop. Imports the domain only; the world comes in through the ports."""
