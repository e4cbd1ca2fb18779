"""Voice conversion: analysis of a recording, its checks, and its synthesis in another voice."""
