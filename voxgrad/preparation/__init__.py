"""What `prepare` is made of: the work on one recording, doubts, scripts of long recordings, and the report."""
