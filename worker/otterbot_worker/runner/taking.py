"""Taking the card for the GPU process, and what becomes of a row where that fails."""

from __future__ import annotations

from ..errors import Cancelled, ProcessDied
from ..gpu import deaths
from .lease import Card, CardTaken
from .runner_common import HandBack
from .sharing import Company

START_AGAIN_SECONDS = (2.0, 5.0, 15.0, 60.0)
TAKEN_SECONDS = 15.0


class Taking:
    """Of one runner; counts the starts that failed one after the other."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._failed_starts = 0

    async def take(self, image: str) -> Company:
        """``image``: the model that is to be there. Returns the language models that stay beside it.

        :raises HandBack: :raises Cancelled: the process was stopped meanwhile
        """
        try:
            company = await self._card.for_images(image)
        except CardTaken as error:
            raise HandBack(str(error), TAKEN_SECONDS, card=True) from None
        except ProcessDied as error:
            if error.reason == "stopped":
                raise Cancelled from None
            # Before the first word of the process no picture can be to blame.
            delay = START_AGAIN_SECONDS[min(self._failed_starts, len(START_AGAIN_SECONDS) - 1)]
            self._failed_starts += 1
            raise HandBack(deaths.sentence(error.reason), delay, card=True) from None
        self._failed_starts = 0
        return company
