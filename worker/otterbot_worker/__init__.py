"""The GPU worker of Otterbot: a durable queue in front of one graphics card."""

__version__ = "0.1.0"
