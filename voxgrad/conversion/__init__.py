"""A recording in another voice: what is taken from it, what is refused, and how it is spoken again."""
