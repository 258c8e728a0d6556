"""The library for Telegram's bots reads our fixtures, every field of them: so they are what Telegram posts."""

import re
import typing

from telegram import Bot, TelegramObject, Update
from telegram.constants import WebhookLimit

import fixtures
from checks import Checks
from door import Door
from system import System

# What fixtures hold that the vendor does not document: what is meant to be unknown, and an old name that still comes.
UNDOCUMENTED = {
    "service": [".message.new_chat_participant"],
    "unknown": [".hologram_message"],
    "unknown-content": [".message.hologram"],
}
# Its message has a wrong type, which the library does not mind.
WRONG_TYPE = "wrong-type"
# Kinds of updates that the vendor knows and we do not: they are kept in quarantine.
NOT_READ = {
    "business_message",
    "deleted_business_messages",
    "edited_business_message",
    "guest_message",
    "managed_bot",
}


def run(checks: Checks, system: System):
    token = system.secrets["telegram"]["signing"][0]
    # `Bot.set_webhook` says by which header the token comes.
    header = re.search(r"X-Telegram[\w-]+", Bot.set_webhook.__doc__)[0]
    telegram = Door(system, "telegram", "telegram", lambda _: {header: token})
    tokens(checks, telegram, header, token)
    telegram.replay(checks, fixtures.of("telegram"))
    models(checks, telegram)
    kinds(checks, telegram)


def tokens(checks: Checks, telegram: Door, header: str, token: str):
    """Only the token that was set is taken."""
    body = fixtures.one("telegram", "text").raw
    allowed = rf"[\w-]{{{int(WebhookLimit.MIN_SECRET_TOKEN_LENGTH)},{int(WebhookLimit.MAX_SECRET_TOKEN_LENGTH)}}}"
    checks.that("the token is one that can be set", bool(re.fullmatch(allowed, token, re.ASCII)), token)
    checks.equal("the token is taken", telegram.post(body, {header: token}).status, 200)
    for what, wrong in {
        "another token": "another",
        "a token in capitals": token.upper(),
        "half a token": token[: len(token) // 2],
        "a longer token": token + "x",
        "an empty token": "",
    }.items():
        checks.equal(f"{what} is refused", telegram.post(body, {header: wrong}).status, 401)
    checks.equal("no token is refused", telegram.post(body, {}).status, 401)


def models(checks: Checks, telegram: Door):
    """The vendor's models read our fixtures, every field of them, and the same as we."""
    for fixture in fixtures.of("telegram"):
        try:
            update = Update.de_json(fixture.body, None)
        except (TypeError, ValueError) as error:
            checks.that(f"the vendor reads {fixture.name}", False, error)
            continue
        seen = list(unread(update))
        checks.equal(f"the vendor reads {fixture.name}", seen, UNDOCUMENTED.get(fixture.name, []))
        if fixture.name != WRONG_TYPE:
            lost = list(missing(fixture.body, update.to_dict()))
            checks.equal(f"the vendor would write {fixture.name}", lost, [])
        if update.message and fixture.ids:
            recorded(checks, telegram, update, fixture.name)


def recorded(checks: Checks, telegram: Door, update: Update, name: str):
    """A message is recorded as the vendor reads it."""
    posted = update.message
    message = telegram.message(f"{posted.chat.id}:{posted.id}")
    sender = message.get("sender", {})
    quoted = posted.reply_to_message and f"{posted.chat.id}:{posted.reply_to_message.id}"
    seen = {"by": sender.get("value"), "named": sender.get("name"), "quoting": message.get("quoted_message_id")}
    wanted = {"by": str(posted.from_user.id), "named": posted.from_user.full_name, "quoting": quoted}
    if said := posted.text or posted.caption:
        seen["text"], wanted["text"] = message.get("text"), said
    checks.equal(f"{name} is recorded as the vendor reads it", seen, wanted)


def unread(part: object, at: str = "") -> typing.Iterator[str]:
    """The fields that the vendor's models do not have."""
    if isinstance(part, TelegramObject):
        yield from (f"{at}.{name}" for name in part.api_kwargs)
        for name in part._get_attrs_names(include_private=False):
            yield from unread(getattr(part, name), f"{at}.{name}")
    elif isinstance(part, (list, tuple)):
        for index, one in enumerate(part):
            yield from unread(one, f"{at}[{index}]")


def missing(posted: object, read: object, at: str = "") -> typing.Iterator[str]:
    """What was posted and the vendor's models do not write again. Empty lists are nothing to them."""
    if isinstance(posted, dict) and isinstance(read, dict):
        for name, value in posted.items():
            if value != []:
                yield from missing(value, read.get(name), f"{at}.{name}")
    elif isinstance(posted, list) and isinstance(read, (list, tuple)) and len(posted) == len(read):
        for index, (one, other) in enumerate(zip(posted, read)):
            yield from missing(one, other, f"{at}[{index}]")
    elif posted != read:
        yield at


def kinds(checks: Checks, telegram: Door):
    """Every kind of update that the vendor knows is read, or known not to be."""
    known = {str(kind.value) for kind in Update.ALL_TYPES}
    read = {kind for fixture in fixtures.of("telegram") for kind in fixture.body if kind in known}
    checks.that("the vendor knows the kinds that we do not read", NOT_READ <= known, NOT_READ - known)
    for number, kind in enumerate(sorted(known - read), 900_000):
        status = telegram.post(fixtures.raw({"update_id": number, kind: {}})).status
        seen = (status, telegram.is_quarantined(f"unknown:{number}"))
        checks.equal(f"{kind} is {'kept' if kind in NOT_READ else 'read'}", seen, (200, kind in NOT_READ))
