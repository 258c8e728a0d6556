"""Slack's library signs events, and says whether a request is Slack's."""

import time

from slack_sdk.signature import SignatureVerifier

import fixtures
from checks import Checks
from door import Door, renamed
from system import System

# The headers that the library's verifier reads.
TIMESTAMP = "X-Slack-Request-Timestamp"
SIGNATURE = "X-Slack-Signature"
# How far a signed time is from the limit of five minutes, in seconds: more than a slow machine takes to answer.
FROM_LIMIT = 20
LIMIT = 300


def run(checks: Checks, system: System):
    verifier = SignatureVerifier(system.secrets["slack"]["signing"][0])
    slack = Door(system, "slack", "slack", lambda body: signed(verifier, body))
    verdicts(checks, slack, verifier)
    handshake(checks, slack)
    slack.replay(checks, fixtures.of("slack"))
    read_back(checks, slack)


def signed(verifier: SignatureVerifier, body: bytes, ahead: int = 0) -> dict[str, str]:
    """The headers by which Slack would post a body so many seconds ahead of now."""
    timestamp = str(int(time.time()) + ahead)
    signature = verifier.generate_signature(timestamp=timestamp, body=body)
    return {TIMESTAMP: timestamp, SIGNATURE: signature}


def verdicts(checks: Checks, slack: Door, verifier: SignatureVerifier):
    """What the vendor's verifier takes, we take, and nothing else."""
    body = fixtures.one("slack", "text").raw
    headers = signed(verifier, body)
    right = headers[SIGNATURE]

    def case(what: str, is_right: bool, given: dict[str, str], posted: bytes = body):
        try:
            vendor = verifier.is_valid_request(posted, given)
        except ValueError:
            vendor = False
        checks.verdict(what, is_right, vendor, slack.post(posted, given).status)

    case("an event", True, headers)
    umlauts = renamed(fixtures.one("slack", "text"), "8").raw.replace(b"where", "wo, äöü 注文".encode())
    case("an event with letters beyond ASCII", True, signed(verifier, umlauts), umlauts)
    for ahead in (-LIMIT + FROM_LIMIT, LIMIT - FROM_LIMIT):
        case(f"an event signed {ahead:+} s from now", True, signed(verifier, body, ahead))
    for ahead in (-LIMIT - FROM_LIMIT, LIMIT + FROM_LIMIT, -86_400):
        case(f"an event signed {ahead:+} s from now", False, signed(verifier, body, ahead))
    case("an event signed with another secret", False, signed(SignatureVerifier("another secret"), body))
    case("an altered event", False, headers, body.replace(b"4711", b"4712"))
    earlier = str(int(headers[TIMESTAMP]) - 9)
    case("an event with another time than the signed", False, {**headers, TIMESTAMP: earlier})
    case("an event with a time that is none", False, {**headers, TIMESTAMP: "now"})
    case("an event of another version", False, {**headers, SIGNATURE: right.replace("v0=", "v1=")})
    case("an event with a signature in capitals", False, {**headers, SIGNATURE: f"v0={right[3:].upper()}"})
    case("an event with half a signature", False, {**headers, SIGNATURE: right[:35]})
    for name in headers:
        case(f"an event without {name}", False, {known: value for known, value in headers.items() if known != name})


def handshake(checks: Checks, slack: Door):
    """Slack asks whether the URL is ours."""
    challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    body = fixtures.raw({"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": challenge, "type": "url_verification"})
    answer = slack.post(body)
    checks.equal("the challenge is answered", (answer.status, answer.body.decode()), (200, challenge))
    stranger = slack.post(body, signed(SignatureVerifier("another secret"), body))
    refused = stranger.status == 401 and challenge not in stranger.body.decode()
    checks.that("the challenge of somebody else is not", refused, stranger)


def read_back(checks: Checks, slack: Door):
    """A message is recorded under its channel and time, readable."""
    event = fixtures.one("slack", "text").body["event"]
    message = slack.message(f"{event['channel']}:{event['ts']}")
    checks.equal("text names its sender", message.get("sender", {}).get("value"), event["user"])
    checks.that("text is readable", "order 4711 (https://shop.example/orders/4711)" in message.get("text", ""), message)
