"""`voxgrad serve`: OpenAI's speech route, the Wyoming protocol, and a web page for cloning voices."""
