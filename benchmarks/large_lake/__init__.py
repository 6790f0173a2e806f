"""Questions of a large lake."""
