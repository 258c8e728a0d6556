"""One inbox, and what every vendor's deliveries have in common there."""

import dataclasses
import json
import re
import typing

from checks import Checks
from fixtures import JSON, Fixture
from system import Answer, System

# How often each body is posted.
TIMES = 10


class Door:
    """An inbox as a vendor knows it: a URL, and how to sign for it."""

    def __init__(self, system: System, channel: str, inbox: str, sign: typing.Callable[[bytes], dict[str, str]]):
        """`sign` gives the headers with which the vendor would post a body now."""
        self.system = system
        self.channel = channel
        self.inbox = inbox
        self.path = f"/v1/channels/{channel}/{inbox}"
        self.url = system.url(self.path)
        self.sign = sign

    def post(self, body: bytes, headers: dict[str, str] | None = None, query: str = "") -> Answer:
        """Posts a body with these headers, or signed as it should be."""
        given = self.sign(body) if headers is None else headers
        return self.system.post(self.path + query, body, {"content-type": JSON, **given})

    def post_as(self, fixture: Fixture, body: bytes) -> Answer:
        """Posts a body, signed as it should be, with what else the vendor says in the headers of a fixture."""
        return self.post(body, {**self.sign(body), **fixture.headers})

    def ledger(self, name: str) -> dict:
        """What became of a message."""
        return self.system.ledger(self.channel, self.inbox, name)

    def message(self, name: str) -> dict:
        """A message as it was recorded."""
        return self.system.message(self.channel, self.inbox, name)

    def is_quarantined(self, name: str) -> bool:
        """Whether something is kept in quarantine under a name, now: it is before the vendor has an answer."""
        answer = self.system.find(self.channel, self.inbox, name)
        return answer.status == 200 and answer.json()["state"] == "quarantined"

    def replay(self, checks: Checks, given: list[Fixture], another=None, repeat=lambda body: body):
        """Posts each body ten times, and checks that each message in them is there once.

        `another` makes a fixture one of other messages, `repeat` is how a body comes again. The messages of a sender
        are dealt with in their order: when another message, posted after the ten, is recorded, all of them are dealt
        with. And that it is recorded shows that nothing but its id made a message a repeated one.
        """
        another = another or (lambda fixture: renamed(fixture, "9"))
        names = {}
        # Messages first, for the rest is about them.
        for fixture in sorted(given, key=lambda fixture: not fixture.ids):
            if not fixture.for_anybody:
                continue
            raw = fixture.raw
            answers = [self.post_as(fixture, raw if n == 0 else repeat(raw)).status for n in range(TIMES)]
            checks.that(f"{self.channel} {fixture.name} is taken {TIMES} times", set(answers) <= {200, 202}, answers)
            if fixture.ids:
                other = another(fixture)
                self.post_as(other, other.raw)
                names |= zip(fixture.ids, other.ids, strict=True)
        states = {name: self.ledger(name)["state"] for pair in names.items() for name in reversed(pair)}
        received = self.system.received(self.channel)
        for name, other in names.items():
            seen = [(states[one], received[one]) for one in (name, other)]
            checks.equal(f"{self.channel} {name} is one message, {other} another", seen, [("recorded", 1)] * 2)
        checks.that(f"{self.channel} brings messages", bool(names))


def renamed(fixture: Fixture, ending: str, token: str = "[^:]+$") -> Fixture:
    """The fixture with this behind what names its messages in the body: the part of their ids that `token` finds."""
    tokens = {re.escape(re.search(token, name)[0]) for name in fixture.ids}
    pattern = re.compile("|".join(rf"(?<!\w){one}(?!\w)" for one in tokens) or "(?!)")

    def change(text: str) -> str:
        return pattern.sub(rf"\g<0>{ending}", text)

    body = None if fixture.form is not None else json.loads(change(fixture.raw.decode()))
    form = None if fixture.form is None else [(name, change(value)) for name, value in fixture.form]
    return dataclasses.replace(fixture, body=body, form=form, reads=[change(line) for line in fixture.reads])
