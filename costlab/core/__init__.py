"""Numbers only: NumPy arrays in, NumPy arrays out. docs/methods.md defines every one of them."""
