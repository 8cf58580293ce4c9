"""What this costs beside the bare limit of the same machine in the same minute: `python -m tests.bench [--json]`.

Nothing here is collected by pytest, and nothing is written into the checkout.
"""
