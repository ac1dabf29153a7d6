"""Files of weights and of trainings: written, read, recognized, found."""
