"""The simulated registries: real servers on 127.0.0.1, a party of their own.

They know of a notice only what arrives by SMTP or HTTP, and answer only over the network. From the rest of
the package they take `errors`, `clock` and `domain`, so that an error of ours cannot cancel itself out
here.
"""
