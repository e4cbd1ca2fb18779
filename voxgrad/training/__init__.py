"""Training: datasets, batches, the trainer, and the tasks of Grad-TTS and of the vocoder."""
