"""Photos and clips, in and out: at their own depth and rate, with what belongs to them."""
