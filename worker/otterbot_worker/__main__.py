"""`python -m otterbot_worker` is `otterbot-worker`."""

import sys

from otterbot_worker.cli import main

sys.exit(main())
