"""The local default as a process of its own, and what a vendor and an agent see of it."""

import collections
import dataclasses
import email.message
import json
import pathlib
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request

from fixtures import ROOT

sys.path.append(str(ROOT / "tests" / "deployment"))
from processes import die_with_parent, free_port  # noqa: E402

# Longest wait for the system to answer, for a message to be dealt with, for the others when that was too short for one,
# and for the system to end, in seconds.
START_MAX = 60
DEAL_MAX = 30
DEAL_LATER_MAX = 0.5
STOP_MAX = 5
# What may become of a message in the end.
FINAL = ("recorded", "duplicate", "quarantined")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the system answers."""

    status: int
    headers: email.message.Message
    body: bytes

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)


class System:
    """Runs while the `with` block does; nothing of it is left afterwards, however the block ends."""

    def __init__(self, binary: pathlib.Path, data: pathlib.Path, log: pathlib.Path):
        """`data` is a new folder, `log` a file."""
        self.binary = binary
        self.data = data
        self.log = log
        self.host = f"127.0.0.1:{free_port()}"
        self.process = None
        self.patience = DEAL_MAX
        seed = tomllib.loads((ROOT / "infra" / "local" / "seed.toml").read_text())
        self.secrets = seed["secrets"]["inboxes"]

    def __enter__(self):
        token = [self.binary, "token", "--role", "admin"]
        self.token = subprocess.run(token, check=True, capture_output=True, text=True).stdout.strip()
        command = [self.binary, "--http", self.host, "--smtp", f"127.0.0.1:{free_port()}"]
        self.process = subprocess.Popen(
            [*command, "--data", self.data],
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        self._stop()

    def url(self, path: str) -> str:
        """The URL of a path."""
        return f"http://{self.host}{path}"

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Posts as anybody can."""
        return self._send(urllib.request.Request(self.url(path), data=body, headers=headers))

    def get(self, path: str) -> Answer:
        """Reads as an admin may."""
        return self._send(urllib.request.Request(self.url(path), headers={"authorization": f"Bearer {self.token}"}))

    def find(self, channel: str, inbox: str, name: str) -> Answer:
        """What is known of a message now."""
        return self.get(f"/v1/messages/{channel}/{inbox}/{urllib.parse.quote(name, safe='')}")

    def ledger(self, channel: str, inbox: str, name: str) -> dict:
        """What became of a message, once it is dealt with; what is known by then, if that takes too long."""
        until = time.monotonic() + self.patience
        while True:
            answer = self.find(channel, inbox, name)
            known = answer.json() if answer.status == 200 else {"state": f"HTTP {answer.status}"}
            if known["state"] in FINAL:
                return known
            if time.monotonic() > until:
                self.patience = DEAL_LATER_MAX
                return known
            time.sleep(0.02)

    def timeline(self, ticket: str) -> list[dict]:
        """Everything that happened on a ticket."""
        return self._all(f"/v1/tickets/{ticket}/timeline?", "after")

    def tickets(self) -> list[dict]:
        """All tickets."""
        return self._all("/v1/tickets?limit=200&", "cursor")

    def message(self, channel: str, inbox: str, name: str) -> dict:
        """A message as it was recorded; empty if it was not."""
        known = self.ledger(channel, inbox, name)
        events = self.timeline(known["ticket_id"]) if known["state"] == "recorded" else []
        return next((event["data"]["message"] for event in events if event["id"] == known["event_id"]), {})

    def received(self, channel: str) -> collections.Counter:
        """How often each message of a channel is on any timeline, by its provider's id."""
        events = (event for ticket in self.tickets() for event in self.timeline(ticket["id"]))
        said = (event["data"]["message"] for event in events if event["kind"] == "message_received")
        return collections.Counter(one["provider_message_id"] for one in said if one["channel"] == channel)

    def _all(self, path: str, cursor: str) -> list[dict]:
        found, place = [], ""
        while True:
            page = self.get(path + place).json()
            found += page["items"]
            if page["next"] is None:
                return found
            place = f"{cursor}={urllib.parse.quote(str(page['next']))}"

    def _send(self, request: urllib.request.Request) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=DEAL_MAX) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def _wait(self):
        until = time.monotonic() + START_MAX
        while True:
            try:
                urllib.request.urlopen(self.url("/v1/health"), timeout=1).close()
                return
            except OSError as error:
                if self.process.poll() is not None:
                    raise SystemExit(f"the system ended at once; see {self.log}") from error
                if time.monotonic() > until:
                    raise SystemExit(f"the system does not answer; see {self.log}") from error
                time.sleep(0.05)

    def _stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
