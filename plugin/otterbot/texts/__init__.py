"""Every sentence that a user can read.

All of it is Markdown for an ``m.notice`` (captions and chat placeholders too). People's words come
in through :mod:`.escape` only: they are shown as they are, and mention nobody.
"""

from __future__ import annotations

from .captions import *  # noqa: F403
from .catalogue import *  # noqa: F403
from .chance import *  # noqa: F403
from .chat import *  # noqa: F403
from .describe import *  # noqa: F403
from .drawing import *  # noqa: F403
from .encryption import *  # noqa: F403
from .escape import *  # noqa: F403
from .explained import *  # noqa: F403
from .jobs import *  # noqa: F403
from .keys import *  # noqa: F403
from .quotas import *  # noqa: F403
from .reactions import *  # noqa: F403
from .refusals import *  # noqa: F403
from .rooms import *  # noqa: F403
from .sheets import *  # noqa: F403
from .starts import *  # noqa: F403
from .styles import *  # noqa: F403
from .sweep_usage import *  # noqa: F403
from .sweeps import *  # noqa: F403
from .upgrades import *  # noqa: F403
from .usage import *  # noqa: F403
from .waiting import *  # noqa: F403
from .watching import *  # noqa: F403
from .words import *  # noqa: F403
from .worker import *  # noqa: F403
