"""Sending: files now, messages later."""
