"""LINE's library validates what we take, and reads our fixtures: so they are what LINE posts."""

import base64
import hashlib
import hmac
import json

from linebot.v3.webhook import SignatureValidator, WebhookParser
from linebot.v3.webhooks import Event, MessageEvent, TextMessageContent

import fixtures
from checks import Checks
from door import Door, renamed
from system import System

SIGNATURE = "x-line-signature"
# The fixture with what is meant to be unknown.
UNKNOWN = "unknown"
# Kinds of events that groups bring. Only messages name who did it, says the vendor.
OF_GROUPS = {"join", "leave", "memberJoined", "memberLeft"}


def run(checks: Checks, system: System):
    secret = system.secrets["line"]["signing"][0]
    line = Door(system, "line", "line", lambda body: {SIGNATURE: signature(secret, body)})
    verdicts(checks, line, secret)
    line.replay(checks, fixtures.of("line"), repeat=redelivered)
    models(checks, line, secret)
    kinds(checks, line)


def signature(secret: str, body: bytes) -> str:
    """The signature of a body; the library only validates."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def redelivered(body: bytes) -> bytes:
    """The body as it comes again."""
    return body.replace(b'"isRedelivery": false', b'"isRedelivery": true')


def verdicts(checks: Checks, line: Door, secret: str):
    """What the vendor's validator takes, we take, and nothing else."""
    body = fixtures.one("line", "text").raw
    right = signature(secret, body)
    validator = SignatureValidator(secret)

    def case(what: str, is_right: bool, given: str, posted: bytes = body):
        status = line.post(posted, {SIGNATURE: given}).status
        checks.verdict(what, is_right, validator.validate(posted.decode(), given), status)

    umlauts = renamed(fixtures.one("line", "text"), "8").raw.replace(b"Where", "Wo, äöü 注文".encode())
    case("a message", True, right)
    case("a message with letters beyond ASCII", True, signature(secret, umlauts), umlauts)
    verify = b'{"destination":"Uf1e2d3c4b5a69788796a5b4c3d2e1f00","events":[]}'
    case("what the button Verify posts", True, signature(secret, verify), verify)
    case("a message signed with another secret", False, signature("another secret", body))
    case("an altered message", False, right, body.replace(b"4711", b"4712"))
    case("a message with a blank more", False, right, body + b" ")
    case("a message with half a signature", False, right[:20])
    case("a message with a signature without its padding", False, right.rstrip("="))
    case("a message with a signature in hexadecimal", False, base64.b64decode(right).hex())
    case("a message with an empty signature", False, "")
    checks.equal("a message without a signature is refused", line.post(body, {}).status, 401)


def models(checks: Checks, line: Door, secret: str):
    """The vendor's models read our fixtures, every field of them, and the same as we."""
    parser = WebhookParser(secret)
    for fixture in fixtures.of("line"):
        if fixture.name == UNKNOWN:
            known = [event["type"] for event in fixture.body["events"] if is_known(event)]
            checks.equal(f"the vendor does not read what is in {fixture.name} either", known, [])
            continue
        read = [is_known(event) for event in fixture.body["events"]]
        checks.that(f"the vendor reads {fixture.name}", all(read), read)
        if all(read):
            text = fixture.raw.decode()
            events = parser.parse(text, signature(secret, fixture.raw))
            for event, posted in zip(events, fixture.body["events"], strict=True):
                said = json.loads(event.to_json())
                checks.equal(f"every field of {event.type} {event.webhook_event_id} is the vendor's", said, posted)
                if isinstance(event, MessageEvent):
                    recorded(checks, line, event)


def recorded(checks: Checks, line: Door, event: MessageEvent):
    """A message is recorded as the vendor reads it."""
    message = line.message(event.message.id)
    seen = {"by": message.get("sender", {}).get("value"), "quoting": message.get("quoted_message_id")}
    wanted = {"by": event.source.user_id, "quoting": getattr(event.message, "quoted_message_id", None)}
    if isinstance(event.message, TextMessageContent):
        seen["text"], wanted["text"] = message.get("text"), event.message.text
    checks.equal(f"message {event.message.id} is recorded as the vendor reads it", seen, wanted)


def is_known(event: dict) -> bool:
    """Whether the vendor's models read an event."""
    try:
        return Event.from_dict(event) is not None
    except ValueError:
        return False


def kinds(checks: Checks, line: Door):
    """Every kind of event that the vendor knows is read: none of them is kept in quarantine as unknown."""
    known = set(Event._Event__discriminator_value_class_map)
    read = {event["type"] for fixture in fixtures.of("line") for event in fixture.body["events"]}
    for kind in sorted(known - read | OF_GROUPS):
        name = f"kind-{kind}"
        person = {"type": "user", "userId": "U4af4980629b0f2b1c7d5e6f7a8b9c0d1"}
        source = {"type": "group", "groupId": "Ca56f94637c"} if kind in OF_GROUPS else person
        event = {"type": kind, "mode": "active", "timestamp": 1795183200000, "source": source, "webhookEventId": name}
        status = line.post(fixtures.raw({"destination": "U1", "events": [event]})).status
        checks.equal(f"{kind} is read", (status, line.is_quarantined(f"unknown:{name}")), (200, False))
