"""One file a step: artifacts in, one artifact out."""
