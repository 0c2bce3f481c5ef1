"""What travels over HTTP between a client and the worker.

The OpenAPI document is made from these classes, so they are the contract. Two rules:
requests refuse fields that they do not know (an old worker says so by name instead of
ignoring a setting), and readers of answers ignore fields that they do not know.
"""
