"""The parts of the token view: laying tokens out in rows, and drawing them."""
