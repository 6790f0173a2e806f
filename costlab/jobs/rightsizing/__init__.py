"""Advice on what to request: what is read out of the lake for it, and what is written of it."""
