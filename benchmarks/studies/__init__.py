"""What a way to do something brings: scores, and what is chosen by them."""
