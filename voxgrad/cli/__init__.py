"""The terminal: one file a command, each of which parses, calls one step and renders."""
