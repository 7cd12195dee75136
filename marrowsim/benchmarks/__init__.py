"""Benchmarks of the engine and of its peers, made in one process on the machine of whoever asks.

A time is the minimum over rounds: processor time with one thread, time on the wall with several. It is
given in seconds, in copies (`np.copyto` of a float32 array of the same lattice) and in sweeps (the frozen
loop `marrowsim._engine.reference.sweep` on the same lattice), both timed in the same run; and beside it
stands the hash of what was computed.
"""
