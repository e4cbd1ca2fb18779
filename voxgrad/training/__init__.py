"""One engine for pretraining and fine-tuning."""
