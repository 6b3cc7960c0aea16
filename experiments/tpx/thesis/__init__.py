"""The thesis's three situations: how they are captured, and the report on them."""
