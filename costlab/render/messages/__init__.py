"""What teams are told: a message as a value, and its form for each channel."""
