"""The laboratory: a real Synapse, a real full Maubot with the packed plugin, the real worker and independent users.

``async with Lab(folder) as lab`` boots everything on 127.0.0.1 and ends it again. Between Maubot and the other two
stand reverse proxies whose rules stop time at named points. The demo uses the same parts.
"""

from .client import User
from .events import Ev
from .lab import Lab
from .pictures import png
from .proc import Proc, free_port
from .proxy import Proxy, Rule
from .synapse import Login, Synapse
from .timeline import Picture, pictures_in

__all__ = [
    "Ev", "Lab", "Login", "Picture", "Proc", "Proxy", "Rule", "Synapse", "User", "free_port", "pictures_in", "png",
]  # fmt: skip
