"""Twilio's library signs text messages and calls, and knows every verb and attribute that a caller's telephone is told.

Signatures with a shared key (`X-Twilio-Webhooks-Signature-Settings`) are not tried: we take those with the auth token.
"""

import inspect
import re
import urllib.parse
import xml.etree.ElementTree as ET

from twilio.request_validator import SIGNATURE_HEADER, RequestValidator
from twilio.twiml.voice_response import VoiceResponse

import fixtures
from checks import Checks
from door import Door, renamed
from fixtures import FORM, JSON, Fixture
from system import System

# How the front of the system may be called from outside.
OUTSIDE = "desk.example"


class Fields:
    """A form as web frameworks hand it to the validator: a name may come more than once."""

    def __init__(self, pairs: list[tuple[str, str]]):
        self.pairs = pairs

    def __iter__(self):
        return (name for name, _ in self.pairs)

    def getall(self, name: str) -> list[str]:
        """All values of a name."""
        return [value for known, value in self.pairs if known == name]


def run(checks: Checks, system: System):
    sms, voice = (door(system, channel) for channel in ("sms", "voice"))
    signatures(checks, sms, RequestValidator(system.secrets["sms"]["signing"][0]))
    json_bodies(checks, sms, RequestValidator(system.secrets["sms"]["signing"][0]))
    call(checks, voice)
    sms.replay(checks, fixtures.of("sms"))
    # Each is of a call of its own: fixtures tell other things of the same one.
    calls = [of_call(fixture, f"c{n}") for n, fixture in enumerate(fixtures.of("voice"))]
    voice.replay(checks, calls, lambda fixture: of_call(fixture, "9"))
    read_back(checks, sms)


def of_call(fixture: Fixture, ending: str) -> Fixture:
    """The fixture as of another call, with other recordings."""
    return renamed(fixture, ending, "^[^:]+")


def door(system: System, channel: str) -> Door:
    """The inbox of a channel, with a signature by the vendor."""
    validator = RequestValidator(system.secrets[channel]["signing"][0])

    def sign(body: bytes) -> dict[str, str]:
        fields = Fields(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        return {"content-type": FORM, SIGNATURE_HEADER: validator.compute_signature(at.url, fields)}

    at = Door(system, channel, channel, sign)
    return at


def signatures(checks: Checks, sms: Door, validator: RequestValidator):
    """What the vendor's validator takes, we take, and nothing else."""
    text = fixtures.one("sms", "text").form
    http, https = (f"{scheme}://{OUTSIDE}{sms.path}" for scheme in ("http", "https"))
    forwarded = {"host": OUTSIDE, "x-forwarded-proto": "https"}
    stranger = RequestValidator("another token")

    def case(what: str, right: bool, signed=text, posted=None, by=validator, at=sms.url, called=sms.url, how=None):
        """Signs some fields at a URL, and posts others to the URL as it is called, with other headers."""
        posted, query = posted or signed, urllib.parse.urlsplit(called).query
        signature = by.compute_signature(at, Fields(signed))
        headers = {"content-type": FORM, SIGNATURE_HEADER: signature, **(how or {})}
        body = urllib.parse.urlencode(posted).encode()
        answer = sms.post(body, headers, f"?{query}" if query else "")
        # As a web framework would parse it.
        held = Fields(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        checks.verdict(what, right, validator.validate(called, held, headers[SIGNATURE_HEADER]), answer.status)

    other = [("Body", "where is order 4712?") if name == "Body" else (name, value) for name, value in text]
    case("a text message", True)
    case("a message with media", True, fixtures.one("sms", "media").form)
    case("one in another order", True, posted=text[::-1])
    case("one with a field twice", True, [*text, ("Body", "twice"), ("From", dict(text)["From"])])
    case("one at a URL with a query", True, at=f"{sms.url}?b=2&a=%20", called=f"{sms.url}?b=2&a=%20")
    case("one signed without the port", True, at=f"http://127.0.0.1{sms.path}")
    with_ports = [f"{scheme}://{OUTSIDE}:{port}{sms.path}" for scheme, port in (("http", 80), ("https", 443))]
    case("one signed with the port of http", True, at=with_ports[0], called=http, how={"host": OUTSIDE})
    case("one by https", True, at=https, called=https, how=forwarded)
    case("one by https, signed with the port", True, at=with_ports[1], called=https, how=forwarded)
    case("one by https, signed as http", False, at=http, called=https, how=forwarded)
    case("one signed with another token", False, by=stranger)
    case("one with another text", False, posted=other)
    case("one with a field more", False, posted=[*text, ("MediaUrl0", "https://api.twilio.com/x")])
    case("one with a field less", False, posted=[pair for pair in text if pair[0] != "NumMedia"])
    case("one signed for another path", False, at=sms.url + "2")
    case("one with another query", False, at=f"{sms.url}?a=1", called=f"{sms.url}?a=2")
    case("one with a foreign signature", False, how={SIGNATURE_HEADER: "AAAAAAAAAAAAAAAAAAAAAAAAAAA="})
    case("one with a signature that is none", False, how={SIGNATURE_HEADER: "signed"})
    unsigned = sms.post(fixtures.one("sms", "text").raw, {"content-type": FORM})
    checks.equal("one without a signature is refused", unsigned.status, 401)


def json_bodies(checks: Checks, sms: Door, validator: RequestValidator):
    """Bodies that are no forms: their hash is in the signed URL."""
    fields = {**dict(fixtures.one("sms", "text").form), "MessageSid": "SMjson", "Body": "Größe 42, als JSON"}
    body = fixtures.raw(fields).decode()
    query = f"?bodySHA256={validator.compute_hash(body)}"

    def case(what: str, right: bool, posted: str, called: str, by=validator):
        signature = by.compute_signature(sms.url + query, {})
        answer = sms.post(posted.encode(), {"content-type": JSON, SIGNATURE_HEADER: signature}, called)
        checks.verdict(what, right, validator.validate(sms.url + called, posted, signature), answer.status)

    case("a JSON body", True, body, query)
    case("a JSON body that was altered", False, body.replace("42", "43"), query)
    other = f"?bodySHA256={validator.compute_hash('x')}"
    case("a JSON body with the hash of another", False, body, other)
    case("a JSON body signed with another token", False, body, query, RequestValidator("another token"))
    message = sms.message("SMjson")
    checks.equal("a JSON body is recorded as it is", message.get("text"), "Größe 42, als JSON")


def call(checks: Checks, voice: Door):
    """A call: what the telephone is told is what the vendor's own builder would write."""
    started = fixtures.one("voice", "started").raw
    answer = voice.post(started)
    checks.equal("a call is answered", (answer.status, answer.headers.get_content_type()), (200, "text/xml"))
    told = ET.fromstring(answer.body)
    verbs = [element.tag for element in told.iter()]
    checks.equal("the caller hears a menu, and then the tone", verbs, ["Response", "Gather", "Say", "Say", "Record"])
    response = VoiceResponse()
    foreign = rebuild(told, response)
    checks.equal("the vendor knows all that the telephone is told", foreign, [])
    same = ET.canonicalize(str(response)) == ET.canonicalize(answer.body.decode())
    checks.that("the vendor would write the same", same, f"{response}, not {answer.body.decode()}")
    for verb in told.iter():
        for name in ("action", "transcribeCallback"):
            if name in verb.attrib:
                leads = urllib.parse.urljoin(voice.url, verb.attrib[name])
                checks.equal(f"{name} of {verb.tag} leads back to the inbox", leads, voice.url)
    stranger = RequestValidator("another token")
    signature = stranger.compute_signature(voice.url, dict(fixtures.one("voice", "started").form))
    refused = voice.post(started, {"content-type": FORM, SIGNATURE_HEADER: signature})
    checks.equal("a call signed with another token is refused", refused.status, 401)
    for fixture in fixtures.of("voice"):
        if fixture.for_anybody:
            rest = voice.post(fixture.raw)
            foreign = rebuild(ET.fromstring(rest.body), VoiceResponse())
            checks.equal(f"the answer to {fixture.name} is the vendor's", (rest.status, foreign), (200, []))


def rebuild(told: ET.Element, into) -> list[str]:
    """Says the same with the vendor's builder; gives what it does not know."""
    foreign = []
    for element in told:
        say = getattr(into, element.tag.lower(), None)
        if say is None:
            foreign.append(element.tag)
            continue
        known = inspect.signature(say).parameters
        attributes = {re.sub("[A-Z]", lambda at: f"_{at[0].lower()}", name): value for name, value in element.items()}
        foreign += [f"{name} of {element.tag}" for name in attributes if name not in known]
        text = {"message": element.text} if element.text else {}
        foreign += rebuild(element, say(**attributes, **text))
    return foreign


def read_back(checks: Checks, sms: Door):
    """Messages are recorded as they were posted."""
    text, media = (fixtures.one("sms", name) for name in ("text", "media"))
    for fixture in (text, media):
        form = dict(fixture.form)
        message = sms.message(form["MessageSid"])
        checks.equal(f"{fixture.name} says what was written", message.get("text"), form["Body"])
        checks.equal(f"{fixture.name} names its sender", message.get("sender", {}).get("value"), form["From"])
        kinds = [form[name] for name in form if name.startswith("MediaContentType")]
        seen = [file["content_type"] for file in message.get("attachments", [])]
        checks.equal(f"{fixture.name} has its files", seen, kinds)
