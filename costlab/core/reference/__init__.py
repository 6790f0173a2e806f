"""The NumPy twins of `kernels`: the meaning of every result, written to be read. Slow, and held equal by the tests."""
