"""The demo: homeserver, Maubot with the plugin, worker and two people, on this machine and kept in ``.demo/``."""
