"""Colors of clips: steady from frame to frame."""
