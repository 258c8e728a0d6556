"""The AWS emulator as a process of its own, with IAM enforced."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import boto3
import botocore.config

from processes import die_with_parent, free_port

REGION = "eu-west-1"
# Who deploys: the account's own user, who may do everything.
ACCESS_KEY = "test"
SECRET_KEY = "test"
# Longest wait for the emulator to answer, in seconds.
START_MAX = 60
# Longest wait for it to end by itself, in seconds.
STOP_MAX = 5


class Emulator:
    """Runs while the `with` block does; nothing of it is left afterwards, however the block ends."""

    def __init__(self, folder: pathlib.Path, smtp: str):
        """`folder` takes the log; what SES sends goes to the SMTP server at `smtp`, as `host:port`."""
        self.smtp = smtp
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = folder / "emulator.log"
        self.process = None

    def __enter__(self):
        environment = {
            **os.environ,
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "LAMBDA_EXECUTOR": "local",
            "SMTP_HOST": self.smtp,
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true",
        }
        # A group of its own, for the functions' processes are its children.
        self.process = subprocess.Popen(
            [pathlib.Path(sys.executable).parent / "ministack"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
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

    def client(self, service):
        """A client of a service, as who deploys."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    def _wait(self):
        until = time.monotonic() + START_MAX
        while True:
            try:
                urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1).close()
                return
            except OSError as error:
                if self.process.poll() is not None:
                    raise SystemExit(f"the emulator ended at once; see {self.log}") from error
                if time.monotonic() > until:
                    raise SystemExit(f"the emulator does not answer; see {self.log}") from error
                time.sleep(0.1)

    def _stop(self):
        for sign, patience in ((signal.SIGTERM, STOP_MAX), (signal.SIGKILL, STOP_MAX)):
            try:
                os.killpg(self.process.pid, sign)
            except ProcessLookupError:
                break
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        # The functions' processes are in the same group, and may outlive the emulator.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
