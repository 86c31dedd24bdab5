"""What reads the world's bytes, given whatever there is: mutated logs, questions, encodings and filters.

`make soak` gives it a million inputs, `make test` some thousand.
"""
