"""Every SELECT that the API gives: plain arguments and a connection in, plain values out. No Flask here."""
