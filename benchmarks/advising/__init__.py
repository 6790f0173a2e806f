"""A night's advice for many containers: the made-up lake, and what is measured in a process of its own."""
