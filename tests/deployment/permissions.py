"""Takes each permission away from each role in turn: a named test has to fail, or the permission is one too many."""

import os
import pathlib
import re
import subprocess

from stacks import ROOT, TEMPLATE

# What Lambda does with a function's role, not the function itself. The emulator does it without asking, so the test that
# compares the template with the code has to see that it is missing.
OF_THE_SERVICE = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    # The function's own: without it a failed message only comes again later than it should.
    "sqs:ChangeMessageVisibility",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
}
STATIC = "template::"
# Tests that use what a function may do, the quickest first.
DYNAMIC = {
    "ingest-email": ["deployed::(a_conversation|lost_mail)", "e2e_quarantine::"],
    "ingest-webhook": ["e2e_webhook::a_thread", "deployed::long", "e2e_(chat|webhook)::"],
    "resolve-identity": ["deployed::(a_conversation|long)", "e2e_quarantine::", "e2e_chat::signing"],
    "upsert-ticket": ["deployed::(a_conversation|long)", "e2e_quarantine::", "e2e_(mail|reply)::", "e2e_channels::a_rating"],
    "route-ticket": ["deployed::a_conversation", "e2e_quarantine::junk", "e2e_routing::"],
    "escalate-sla": ["deployed::the_schedule"],
    "relay-events": ["deployed::a_conversation", "e2e_routing::resolving"],
    "send-outbound": ["deployed::a_conversation", "e2e_quarantine::junk", "e2e_reply::"],
    "serve-api": ["deployed::an_admin", "e2e_quarantine::", "e2e_api::", "e2e_commands::", "e2e_routing::", "e2e_erasure::"],
}
# What no deployed test can show, with the reason. Everything in it is used; the tests named here show that in one process.
NOT_SHOWN = {
    # A record is marked before each try after its twentieth receive, and no queue can be told a number of receives:
    # integ_batch::what_takes_functions_down_is_quarantined_before_it_is_tried_again.
    ("ingest-email", "dynamodb:UpdateItem"),
    ("ingest-email", "dynamodb:DeleteItem"),
    ("resolve-identity", "dynamodb:UpdateItem"),
    ("resolve-identity", "dynamodb:DeleteItem"),
    ("upsert-ticket", "dynamodb:UpdateItem"),
    ("upsert-ticket", "dynamodb:DeleteItem"),
    ("send-outbound", "dynamodb:UpdateItem"),
    ("send-outbound", "dynamodb:DeleteItem"),
    # S3 says "not found" only to those who may list, and "forbidden" to others. The emulator says "not found" to all.
    ("ingest-webhook", "s3:ListBucket"),
    ("resolve-identity", "s3:ListBucket"),
    ("upsert-ticket", "s3:ListBucket"),
    ("send-outbound", "s3:ListBucket"),
    ("serve-api", "s3:ListBucket"),
    # The sweep sends only what the table's stream lost: e2e_sla::what_the_stream_lost_is_driven_by_the_check.
    ("escalate-sla", "sqs:SendMessage"),
    # It moves the next look at a ticket whose time has come and that has nothing to say, which takes hours to happen:
    # e2e_sla, whose tests set the time.
    ("escalate-sla", "dynamodb:UpdateItem"),
    # One ledger item alone is asked for only when a lost mail is larger than 42 MB.
    ("ingest-email", "dynamodb:GetItem"),
}
# Tests wait this long for work to be done, in seconds: missing permissions make them wait in vain.
PATIENCE = "20"
STATEMENT = re.compile(r"              - Sid: (\w+)\n(?:                .*\n)+")
ACTION = re.compile(r"                Action: (.*)\n")


class Permission:
    """An action that a statement of a function's role allows."""

    def __init__(self, function, statement, action):
        self.function, self.statement, self.action = function, statement, action

    def __str__(self):
        return f"{self.function} {self.statement} {self.action}"

    def of_the_service(self):
        return self.action in OF_THE_SERVICE or self.statement == "GiveUp"

    def without(self, template):
        """The template without it."""
        start = template.index(f"        - PolicyName: {self.function}\n")
        statement = next(m for m in STATEMENT.finditer(template, start) if m[1] == self.statement)
        kept = [action for action in _actions(statement[0]) if action != self.action]
        changed = ACTION.sub(f"                Action: [{', '.join(kept)}]\n", statement[0]) if kept else ""
        return template[: statement.start()] + changed + template[statement.end() :]


def _actions(statement):
    return ACTION.search(statement)[1].strip("[]").split(", ")


def permissions(template):
    """All permissions of all functions, in the order of the template."""
    policies = [(m.start(), m[1]) for m in re.finditer(r"        - PolicyName: (.*)\n", template)]
    for (start, function), end in zip(policies, [p[0] for p in policies[1:]] + [len(template)]):
        for statement in STATEMENT.finditer(template, start, end):
            for action in _actions(statement[0]):
                yield Permission(function, statement[1], action)


def _failing(desk, folder, permission, tests):
    """The first of the tests that fails without the permission; nothing when none does."""
    edited = folder / "template.yaml"
    edited.write_text(permission.without(TEMPLATE.read_text()))
    desk.stacks.edit = permission.without
    environment = {**os.environ, "THROUGHLINE_PATIENCE_SECONDS": PATIENCE, "THROUGHLINE_TEMPLATE": str(edited)}
    if not permission.of_the_service():
        environment["THROUGHLINE_STACKS"] = desk.address
    for test in tests:
        command = ["cargo", "nextest", "run", "--workspace", "--locked", "--run-ignored", "all", "--no-fail-fast"]
        command += ["--profile", "deployed", "--retries", "0", "-E", f"test(/^{test}/)"]
        if test == STATIC:
            command.append("--ignore-default-filter")
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        failed = re.search(r"^ +(?:FAIL|SIGABRT|TIMEOUT) \[.*?\] .*::it (\S+)", run.stderr, re.M)
        if run.returncode and failed:
            return failed[1]
        if run.returncode:
            raise SystemExit(f"the tests do not run:\n{run.stderr}")
    return None


def run(desk, emulated, folder: pathlib.Path, wanted, share: slice):
    """Tries a share of the permissions that contain the wanted text, each in an emulator of its own, for tests that fail
    leave their stacks behind; gives the exit code."""
    superfluous = []
    for permission in [p for p in permissions(TEMPLATE.read_text()) if wanted in str(p)][share]:
        if (permission.function, permission.action) in NOT_SHOWN:
            print(f"{permission!s:58} cannot be shown in a deployed stack", flush=True)
            continue
        tests = [STATIC] if permission.of_the_service() else DYNAMIC[permission.function]
        with emulated():
            failed = _failing(desk, folder, permission, tests)
        print(f"{permission!s:58} {failed or 'NO TEST FAILS'}", flush=True)
        if not failed:
            superfluous.append(permission)
    print(f"{len(superfluous)} permissions that no test misses")
    return 1 if superfluous else 0
