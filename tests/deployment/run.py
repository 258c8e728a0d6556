"""Deploys the template into an AWS emulator with IAM enforced, for the tests that ask for it.

    run.py test [nextest arguments]     the end-to-end tests against deployed stacks
    run.py permissions [text]           takes each permission away in turn, or each that has the text in it

Both are done in parts at once, for they mostly wait: each part is this program again, with `part K/N` before its arguments.
Tests get a stack each from the address in THROUGHLINE_STACKS: POST makes one and answers what it is, DELETE removes it, and
/mail is what SES sent.
Everything ends with this process.
"""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import urllib.parse

import aiosmtpd.controller

import permissions
from emulator import Emulator
from processes import die_with_parent, free_port
from stacks import ROOT, Stacks

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
FOLDER = TARGET / "deployment"
BINARIES = TARGET / "lambda"
# Each part has an emulator of its own: it keeps a process for each function of each stack that ever was, and with hundreds
# of them, each asking for work all the time, it stands still for a minute now and then.
PARTS = 4
# Longest wait for a part that was told to end, in seconds.
END_MAX = 30


class Recipients:
    """Everybody whom SES sends mail to."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, _session, envelope):
        self.mails.append({"to": envelope.rcpt_tos, "raw": base64.b64encode(envelope.content).decode()})
        return "250 OK"


class Desk(http.server.ThreadingHTTPServer):
    """Where tests get stacks, and functions the keys of the issuer of tokens."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.stacks = None
        self.recipients = Recipients()
        self.count = 0
        self.lock = threading.Lock()

    def next_name(self):
        with self.lock:
            self.count += 1
            return f"test-{self.count}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if self.path == "/.well-known/openid-configuration":
            self.answer(200, {"issuer": self.server.address, "jwks_uri": f"{self.server.address}/keys"})
        elif self.path == "/keys":
            self.answer(200, json.loads(self.server.stacks.seed["oidc"]["keys"]))
        elif url.path == "/mail":
            after = int(dict(urllib.parse.parse_qsl(url.query)).get("after", 0))
            self.answer(200, self.server.recipients.mails[after:])
        else:
            self.answer(404, {})

    def do_POST(self):
        try:
            self.answer(201, self.server.stacks.up(self.server.next_name()))
        except Exception as error:
            self.answer(500, {"error": str(error)})

    def do_DELETE(self):
        try:
            self.server.stacks.down(self.path.strip("/"))
            self.answer(200, {})
        except Exception as error:
            self.answer(500, {"error": str(error)})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def nextest(desk, arguments):
    """Runs the deployed tests; gives their exit code."""
    command = ["cargo", "nextest", "run", "--locked", "--workspace", "--profile", "deployed"]
    command += ["--run-ignored", "all", "--no-tests", "pass", *arguments]
    environment = {**os.environ, "THROUGHLINE_STACKS": desk.address}
    runner = subprocess.Popen(command, cwd=ROOT, env=environment, preexec_fn=die_with_parent)
    try:
        return runner.wait()
    finally:
        # Told to end, it ends its tests.
        runner.terminate()
        runner.wait(END_MAX / 2)


def together(arguments):
    """Runs all parts at once, and shows what each said when it is through; gives 1 if one has failed."""
    parts = []
    try:
        for part in range(1, PARTS + 1):
            command = [sys.executable, __file__, "part", f"{part}/{PARTS}", *arguments]
            said = (FOLDER / f"part-{part}.log").open("w+b")
            parts.append((said, subprocess.Popen(command, stdout=said, stderr=said, preexec_fn=die_with_parent)))
        for said, process in parts:
            process.wait()
            said.seek(0)
            shutil.copyfileobj(said, sys.stdout.buffer)
            sys.stdout.flush()
        return int(any(process.returncode for _, process in parts))
    finally:
        for _, process in parts:
            process.terminate()
        for _, process in parts:
            process.wait(END_MAX)


def part(place, command, arguments):
    """Runs one part of a command; gives its exit code."""
    number, of = map(int, place.split("/"))
    folder = FOLDER / f"part-{number}"
    folder.mkdir(exist_ok=True)
    desk = Desk()
    threading.Thread(target=desk.serve_forever, daemon=True).start()
    mail = aiosmtpd.controller.Controller(desk.recipients, hostname="127.0.0.1", port=free_port())
    mail.start()

    @contextlib.contextmanager
    def emulated():
        with Emulator(folder, f"127.0.0.1:{mail.port}") as emulator:
            desk.stacks = Stacks(emulator, BINARIES, desk.address)
            yield

    if command == "permissions":
        return permissions.run(desk, emulated, folder, "".join(arguments), slice(number - 1, None, of))
    with emulated():
        return nextest(desk, ["--partition", f"slice:{place}", *arguments])


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Ends as on Ctrl-C, so that the emulator is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    match sys.argv[1:]:
        case [("test" | "permissions"), *_] as all_of_it:
            return together(all_of_it)
        case ["part", place, command, *arguments]:
            return part(place, command, arguments)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
