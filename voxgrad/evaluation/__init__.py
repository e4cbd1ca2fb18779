"""How near a voice comes to recordings: distances of sounds, and what listeners that are installed make of them."""
