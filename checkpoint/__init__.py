"""Read, write, recognize and locate files of weights and of training states."""
