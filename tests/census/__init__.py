"""A census of what the program does: taken before and after a change that must change nothing, and compared.

It sees the program from outside only: the worker's command and its HTTP API, SQLite files, rooms of the lab. It imports
nothing of the worker and nothing of the plugin, so that it runs unchanged while everything inside has another name.
"""
