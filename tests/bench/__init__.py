"""Benchmarks, run by hand: believable logs, how fast they are read, how fast the API answers from them."""
