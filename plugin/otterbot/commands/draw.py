"""``!draw``: what was typed becomes a request, or a sentence that says what to type."""

from __future__ import annotations

from .. import texts
from ..errors import MatrixError, Unanswered
from ..language.arguments import Intent, prompt_and_flags
from ..language.message import Message
from .asked_picture import picture_request
from .command import Command
from .context import circumstances
from .find_picture import find_start
from .outcome import Outcome, Unusable, refuse
from .picture_request import new_seed, outcome
from .services import Services


async def draw(services: Services, message: Message, intent: Intent) -> Outcome:
    """A picture of ``intent.options.prompt``."""
    if (refused := DRAW.refuse(services, intent)) is not None:
        return refused
    options = intent.options
    if options.seed == "same":
        return refuse(texts.seed_same_needs_a_picture(services.config.current.prefix))
    seed = options.seed if isinstance(options.seed, int) else new_seed()
    try:
        notes: list[str] = []
        start = await find_start(services, message, notes)
        around = await circumstances(services, message.room_id)
        request = picture_request(options, around, seed=seed, other=new_seed(), notes=notes, start=start)
    except Unusable as refusal:
        return refuse(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.START_AWAY) from None
    return await outcome(services, request, intent)


DRAW = Command(
    name="draw",
    meant=("imagine", "img", "image", "dream", "generate", "gen", "picture", "paint", "create"),
    run=draw,
    reads=prompt_and_flags,
    usage=("draw otter, cowboy hat", "draws it"),
    topic=(
        f"{{!draw otter, cowboy hat}} draws a picture. Flags go after the words:\n{texts.flag_lines()}\n\n"
        "For example {!draw otter, cowboy hat --no blurry --steps 20 --count 4}.\n\n"
        "As a reply to a picture, or as the caption of one, it starts from that picture."
    ),
    documented=(
        ("`!draw otter, cowboy hat`", "a picture, as a reply to your message"),
        ("`!draw … --count 4`", "four, on one numbered sheet"),
        (
            "`2` as a reply to a sheet, or the reaction 2\ufe0f\u20e3; `!upscale 2`",
            "the second picture on it in full; larger",
        ),
        ("`!draw …` as a reply to a picture, or as the caption of one", "that picture, changed as you say"),
    ),
)
