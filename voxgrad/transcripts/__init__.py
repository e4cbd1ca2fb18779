"""Which text belongs to which recording of a folder: lists, corpora, and files beside the recordings."""
