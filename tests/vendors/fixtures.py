"""What our fixtures say that vendors post (`events/ingest-webhook/{channel}/*.json`)."""

import dataclasses
import json
import pathlib
import re
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "events" / "ingest-webhook"
# Fewest fixtures of a channel, so that a moved folder is no success.
FIXTURES_MIN = 6
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@dataclasses.dataclass(frozen=True)
class Fixture:
    """One of them."""

    name: str
    # What its vendor says in headers, but for the signature.
    headers: dict[str, str]
    body: object
    form: list[tuple[str, str]] | None
    # How we are to read it, a line for each event.
    reads: list[str]
    # Whether it is for an inbox that takes every account's traffic, as those of the local default do.
    for_anybody: bool

    @property
    def raw(self) -> bytes:
        """The body as it is posted."""
        return raw(self.body) if self.form is None else urllib.parse.urlencode(self.form).encode()

    @property
    def ids(self) -> list[str]:
        """The ids of the messages that it brings."""
        return [found[1] for line in self.reads if (found := re.match(r"message (\S+) from", line))]


def raw(body: object) -> bytes:
    """A body as it is posted: providers write letters as they are, not escaped."""
    return body.encode() if isinstance(body, str) else json.dumps(body, ensure_ascii=False).encode()


def of(channel: str) -> list[Fixture]:
    """All fixtures of a channel."""
    found = [_read(path) for path in sorted((FOLDER / channel).glob("*.json"))]
    if len(found) < FIXTURES_MIN:
        raise LookupError(f"only {len(found)} fixtures of {channel}")
    return found


def one(channel: str, name: str) -> Fixture:
    """The fixture of this name."""
    return next(fixture for fixture in of(channel) if fixture.name == name)


def _read(path: pathlib.Path) -> Fixture:
    said = json.loads(path.read_text())
    form = said.get("form")
    pairs = None if form is None else [(name, value) for name, value in form]
    anybody = "account" not in said and "others" not in said
    return Fixture(path.stem, said["headers"], said.get("body"), pairs, said["reads"], anybody)
