"""``scripts/demo``: everything on this machine, from nothing to a picture in an encrypted room."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from lab.events import Ev
from lab.places import REPOSITORY

from .house import SERVER, DemoError, House
from .keyboard import Keyboard
from .room import INDENT, show_picture, show_room
from .screen import Screen
from .talk import Talk

ABOUT = """Starts a homeserver (Synapse), Maubot with the plugin, and the worker on this machine, and types each LINE
into an encrypted room as a Matrix user of its own. Ends with 0 if everything came that the lines are for. Without a
line it stays up: log in with any Matrix client, or type here. What was made is kept in .demo/ for the next start."""

HISTORY = """A login is sent the keys of what is said from then on. What was said before it stays "unable to decrypt"
until you import the file of room keys in your client (in its security settings; the passphrase is the password)."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=ABOUT)
    parser.add_argument("lines", nargs="*", metavar="LINE", help="for instance '!draw otter, cowboy hat' '!again'")
    parser.add_argument("--fresh", action="store_true", help="forget everything of earlier starts")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".demo", help="where everything is kept")
    return parser.parse_args()


async def _type_lines(house: House, screen: Screen, lines: list[str]) -> int:
    screen.title("In the room")
    talk = Talk(house, screen)
    for text in lines:
        line = await talk.say(text)
        verdict = screen.paint("done", "green") if line.good else screen.paint("what it is for did not come", "red")
        screen.say(f"  {'':9}   {line.ended or ('✓' if line.good else '✗')} {verdict}")
    saved = {event.event_id: path for line in talk.lines for event, path in line.pictures}
    await show_room(house, screen, saved, since=talk.lines[0].event_id)
    failed = [line.text for line in talk.lines if not line.good]
    screen.say()
    if failed:
        screen.say(screen.paint(f"  Not everything came: {'; '.join(failed)}", "red"))
        screen.say(f"  The logs: {house.root}/*/*.log")
        return 1
    notice = (await house.ask_worker()).get("notice")
    if notice:
        screen.warn(notice)
    screen.say("  scripts/demo without a line keeps all this up, for any Matrix client.")
    return 0


async def _stay(house: House, screen: Screen) -> int:
    you = house.person
    screen.title("Log in with any Matrix client")
    for name, value in (
        ("homeserver", house.synapse.url), ("user", you.user_id), ("password", you.password),
        ("room", f"#otters:{SERVER}"), ("Maubot", f"{house.maubot.url}/_matrix/maubot (admin, the same password)"),
        ("room keys", str(await house.export_keys())),
    ):  # fmt: skip
        screen.say(f"  {name:12}{screen.paint(value, 'bold')}")
    screen.say()
    screen.wrapped(" ".join(HISTORY.split()), "  ")
    screen.say()
    screen.say(f"  Or type here, as {house.visitor.id}; !help says what there is. Ctrl-C ends everything.")
    screen.say()
    screen.prompt("  › ")
    watcher = asyncio.create_task(_watch(house, screen))
    reader = asyncio.create_task(_read_lines(house, screen))
    try:
        await asyncio.wait({watcher, reader}, return_when=asyncio.FIRST_COMPLETED)
        if reader.done() and not reader.cancelled():
            reader.result()
            await asyncio.Event().wait()  # the input has ended; what runs stays up until Ctrl-C
        watcher.result()
    finally:
        for task in (watcher, reader):
            task.cancel()
        await asyncio.gather(watcher, reader, return_exceptions=True)
    return 0


async def _read_lines(house: House, screen: Screen) -> None:
    async with Keyboard(sys.stdin.fileno()) as keyboard:
        async for text in keyboard:
            if text:
                await house.visitor.send(house.room, text)
            screen.prompt("  › ")


async def _watch(house: House, screen: Screen) -> None:
    """Shows what others do in the room, as it comes."""
    talk = Talk(house, screen)
    mark = house.visitor.mark()
    while True:
        event = await house.visitor.wait_for(
            lambda e: e.room_id == house.room and e.sender != house.visitor.id, mark, timeout=10**9
        )
        mark = house.visitor.events.index(event, mark) + 1
        await _show_live(event, talk, screen)
        await house.export_keys()


async def _show_live(event: Ev, talk: Talk, screen: Screen) -> None:
    name = screen.paint(f"{event.sender[1:].partition(':')[0]:10}", "cyan", "bold")
    if event.reaction:
        screen.say(f"  {name}  {event.reaction}")
    elif event.msgtype == "m.image":
        path = await talk.save(event)
        screen.say(f"  {name}  {screen.paint('a picture', 'dim')}")
        show_picture(path, screen)
        screen.wrapped(event.body, INDENT)
        screen.say(INDENT + screen.paint(f"saved as {path}", "dim"))
    elif event.type == "m.room.message":
        edited = "✎ " if event.edits else ""
        screen.wrapped(f"{edited}{event.new_content.get('body', '')}", INDENT, head=f"  {name}  ")


async def _main(options: argparse.Namespace) -> int:
    main = asyncio.current_task()
    assert main is not None
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, main.cancel)
    with Screen() as screen:
        screen.say(screen.paint("🦦 Otterbot, everything on this machine", "bold"))
        try:
            async with House(options.folder.resolve(), screen, fresh=options.fresh) as house:
                return await (_type_lines(house, screen, options.lines) if options.lines else _stay(house, screen))
        except asyncio.CancelledError:
            screen.say("  Ended; what was made is kept for the next start.")
            return 0 if not options.lines else 130
        except DemoError as error:
            screen.say(screen.paint(f"  {error}", "red"))
        except (RuntimeError, TimeoutError, OSError) as error:
            first, _, rest = str(error).partition("\n")
            screen.say(screen.paint(f"  It did not start: {first}", "red"))
            for line in rest.splitlines()[-12:]:
                screen.say(f"    {line[: screen.width]}")
            screen.say(f"  The logs: {options.folder}/*/*.log")
        return 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(_main(_options())))
    sys.exit(130)
