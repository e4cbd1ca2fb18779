"""The command line: every command parses its options, calls one step and prints the answer."""
