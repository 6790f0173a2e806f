"""Real machines' usage, day by day: what rules for requests are given, and how their advice is judged."""
