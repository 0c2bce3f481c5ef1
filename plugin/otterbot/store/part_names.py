"""Names of parts: what a message, a reaction or a redaction is to its request.

They stand in the database and in the events themselves, so a name that was ever used keeps its meaning.
"""

from __future__ import annotations

from typing import Final

PICTURE, CHAT, DESCRIBED = "picture", "chat", "described"
"""Families of parts that are results; each has a builder."""
FILM, PREVIEW = "film", "preview"
"""Families of what a request may do without: how its pictures were drawn, and what is seen of them meanwhile."""
COPIES = "gallery"
"""The family of copies of pictures; it has a builder, too."""
IN_ROOM = "/in/"


class PartName(str):
    """One name, as it is stored: ``reply``, ``picture/3``, ``unsend/picture/3``."""

    __slots__ = ()

    @classmethod
    def picture(cls, index: int) -> PartName:
        """The picture of that index."""
        return cls(f"{PICTURE}/{index}")

    @classmethod
    def film(cls, index: int) -> PartName:
        """The film of the picture of that index."""
        return cls(f"{FILM}/{index}")

    @classmethod
    def preview(cls, number: int) -> PartName:
        """The message that shows what is drawn now (0), or one of its edits, from 1."""
        return cls(f"{PREVIEW}/{number}")

    @classmethod
    def answer(cls, number: int) -> PartName:
        """A piece of a chat answer, from 1; 0 is the placeholder."""
        return cls(f"{CHAT}/{number}")

    @classmethod
    def edit(cls, event_id: str) -> PartName:
        """One of the edits by which an answer grew, as it stands in the room: only to be taken back."""
        return cls(f"edit/{event_id}")

    @classmethod
    def offer(cls, picture: PartName, number: int) -> PartName:
        """One of the reactions that are offered under a picture."""
        return cls(f"offer/{number}/{picture}")

    @property
    def family(self) -> str:
        """What stands before the first slash: ``picture``, ``chat``, ``status``."""
        return self.partition("/")[0]

    @property
    def is_picture(self) -> bool:
        return self.startswith(f"{PICTURE}/")

    @property
    def shows(self) -> bool:
        """A picture, or all of them on a sheet."""
        return self.is_picture or self == "sheet"

    @property
    def is_film(self) -> bool:
        return self.startswith(f"{FILM}/")

    @property
    def is_preview(self) -> bool:
        return self.startswith(f"{PREVIEW}/")

    @property
    def is_forgone(self) -> bool:
        """Whether a request ends well without it."""
        return self.is_film or self.is_preview

    @property
    def is_answer(self) -> bool:
        """A message of a chat's answer, or an edit of one."""
        return self.startswith(f"{CHAT}/")

    @property
    def number(self) -> int:
        """The number of a picture, a film, a preview or a piece of an answer; −1 for every other part."""
        family, _, number = self.partition("/")
        return int(number) if family in (PICTURE, FILM, PREVIEW, CHAT) and number.isdecimal() else -1

    @property
    def piece(self) -> int:
        """The piece of a chat answer: 0 for the placeholder, from 1 for the answer; −1 for every other part."""
        return self.number if self.family == CHAT else -1

    def unsend(self) -> PartName:
        """The redaction of that part."""
        return PartName(f"unsend/{self}")

    def in_room(self, room: str) -> PartName:
        """The same part, left behind in a room that was upgraded (see ``LEFT_BEHIND`` in :mod:`.queries`)."""
        return PartName(f"{self}{IN_ROOM}{room}")

    def left(self, room: str) -> PartName:
        """The edit that says in that room that the request goes on elsewhere."""
        return PartName(f"{self}/left/{room}")

    def attempt(self, number: int) -> PartName:
        """One of the volatile edits of that name: each is an event of its own."""
        return PartName(f"{self}/{number}")


ACK: Final = PartName("ack")
"""The reaction ⏳."""
UNACK: Final = PartName("unack")
DONE: Final = PartName("done")
"""The reaction at the end."""
REFUSED: Final = PartName("refused")
"""The reaction to a message of which nothing was accepted. Its key is the message's, whichever edit was refused."""
SAME: Final = PartName("same")
"""The reaction to a question that was just answered."""
REPLY: Final = PartName("reply")
"""The answer to a command."""
FINAL: Final = PartName("final")
"""The sentence with which a request ends that has no result."""
STATUS: Final = PartName("status")
STATUS_EDIT: Final = PartName("status/edit")
"""Volatile edits of the status."""
STATUS_FINAL: Final = PartName("status/final")
PLACEHOLDER: Final = PartName.answer(0)
"""The message in which a chat's answer grows."""
CHAT_EDIT: Final = PartName("chat/edit")
"""Volatile edits of the placeholder: never the name of a message that is looked for."""
CHAT_END: Final = PartName("chat/end")
"""The last edit of a placeholder that does not become an answer."""
DESCRIPTION: Final = PartName(f"{DESCRIBED}/1")
"""The message that says what a picture shows."""
SHEET: Final = PartName("sheet")
"""The contact sheet in place of a request's pictures; its own family."""
COPY: Final = PartName(f"{COPIES}/0")
"""The copy of a picture in the gallery."""
GREETING: Final = PartName("greeting")
SETTINGS: Final = PartName("settings")
"""The sentence about settings that came along with an upgrade."""
UNREAD: Final = PartName("unread")
"""The sentence about messages that cannot be read."""
NO_ENCRYPTION: Final = PartName("no-encryption")
"""The one message that goes out in the clear, whatever the room: a fixed sentence."""

PROGRESS: Final = (STATUS, PLACEHOLDER)
"""Messages that show the progress of a request; each room that it goes through has its own."""
