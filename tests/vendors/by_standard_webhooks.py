"""The library of Standard Webhooks signs for business systems and bots, and says whether a delivery is signed."""

import dataclasses
import datetime
import hashlib
import json

from standardwebhooks import Webhook, WebhookVerificationError

import fixtures
from checks import Checks
from door import Door, renamed
from fixtures import Fixture
from system import System

# How far a signed time is from the limit of five minutes, in seconds: more than a slow machine takes to answer.
FROM_LIMIT = 20
LIMIT = 300
# Base64 of 24 bytes, as the library makes secrets.
STRANGER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def run(checks: Checks, system: System):
    shop, bot = (door(system, *at) for at in (("webhook", "shop"), ("bot", "bot")))
    verdicts(checks, shop, fixtures.one("webhook", "message"), fixtures.one("webhook", "ticket"))
    verdicts(checks, bot, fixtures.one("bot", "full"), fixtures.one("bot", "least"))
    shop.replay(checks, [named(fixture) for fixture in fixtures.of("webhook")], later)
    bot.replay(checks, fixtures.of("bot"))
    read_back(checks, shop, bot)


def named(fixture: Fixture) -> Fixture:
    """The fixture with the right name of its message: what names none has the name of its delivery."""
    if not fixture.ids or fixture.body["data"].get("external_id"):
        return fixture
    return dataclasses.replace(fixture, reads=[f"message {delivery(fixture.raw)} from"])


def later(fixture: Fixture) -> Fixture:
    """Another message of the same sender: named otherwise, or in another delivery."""
    other = renamed(fixture, "9")
    return named(dataclasses.replace(other, body={**other.body, "timestamp": "2026-11-20T09:40:00Z"}))


def delivery(body: bytes) -> str:
    """The name of a delivery: the same body is the same one."""
    return f"msg_{hashlib.sha256(body).hexdigest()[:24]}"


def signed(webhook: Webhook, body: bytes, ahead: int = 0) -> dict[str, str]:
    """The headers by which a body would be posted so many seconds ahead of now."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=ahead)
    signature = webhook.sign(delivery(body), at, body.decode())
    return {"webhook-id": delivery(body), "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def door(system: System, channel: str, inbox: str) -> Door:
    """An inbox, with a signature by the vendor."""
    webhook = Webhook(system.secrets[inbox]["webhook"][0])
    return Door(system, channel, inbox, lambda body: signed(webhook, body))


def verdicts(checks: Checks, at: Door, *samples: Fixture):
    """What the vendor's library verifies, we take, and nothing else."""
    webhook = Webhook(at.system.secrets[at.inbox]["webhook"][0])
    body = samples[0].raw
    headers = signed(webhook, body)
    right = headers["webhook-signature"]
    wrong = signed(Webhook(STRANGER), body)["webhook-signature"]

    def case(what: str, is_right: bool, given: dict[str, str], posted: bytes = body):
        try:
            vendor = webhook.verify(posted, given) == json.loads(posted)
        except (WebhookVerificationError, ValueError):
            vendor = False
        checks.verdict(f"{at.channel}: {what}", is_right, vendor, at.post(posted, given).status)

    for sample in samples:
        case(sample.name, True, signed(webhook, sample.raw), sample.raw)
    for ahead in (-LIMIT + FROM_LIMIT, LIMIT - FROM_LIMIT):
        case(f"a delivery signed {ahead:+} s from now", True, signed(webhook, body, ahead))
    for ahead in (-LIMIT - FROM_LIMIT, LIMIT + FROM_LIMIT, -86_400):
        case(f"a delivery signed {ahead:+} s from now", False, signed(webhook, body, ahead))
    case("one with the right signature after another", True, {**headers, "webhook-signature": f"{wrong} {right}"})
    case("one with a signature of another version too", True, {**headers, "webhook-signature": f"v1a,AAAA {right}"})
    versioned = right.replace("v1,", "v1a,")
    case("one with a signature of another version only", False, {**headers, "webhook-signature": versioned})
    case("one with wrong signatures", False, {**headers, "webhook-signature": f"{wrong} {wrong}"})
    case("one signed with another secret", False, {**headers, "webhook-signature": wrong})
    case("one altered", False, headers, body.replace(b"2026", b"2025"))
    case("one with another id than the signed", False, {**headers, "webhook-id": "msg_another"})
    next_second = str(int(headers["webhook-timestamp"]) + 1)
    case("one with another time than the signed", False, {**headers, "webhook-timestamp": next_second})
    case("one with a time that is none", False, {**headers, "webhook-timestamp": "now"})
    for name in headers:
        case(f"one without {name}", False, {known: value for known, value in headers.items() if known != name})


def read_back(checks: Checks, shop: Door, bot: Door):
    """Messages are recorded as they were posted."""
    data = fixtures.one("webhook", "message").body["data"]
    message = shop.message(data["external_id"])
    checks.equal("the shop's message says what was written", message.get("text"), data["body"])
    checks.equal("the shop's message has its subject", message.get("subject"), data["subject"])
    sender = message.get("sender", {})
    wanted = (data["requester"]["account"], data["requester"]["name"])
    checks.equal("the shop's message names its sender", (sender.get("value"), sender.get("name")), wanted)
    data = fixtures.one("bot", "full").body["data"]
    handoff = bot.message(data["handoff_id"]).get("handoff") or {}
    said = [line["text"] for line in handoff.get("transcript", [])]
    checks.equal("the bot's transcript is kept", said, [line["text"] for line in data["transcript"]])
