"""`voxgrad serve`: OpenAI's speech route, the Wyoming protocol, and a page on which a person makes a voice."""
