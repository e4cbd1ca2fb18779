"""The parts of `prepare`: one recording, checks of clips, long recordings, and the report."""
