"""Vendors' own libraries on the other side of our webhooks: they sign, validate and read what we take.

    run.py [binary]     against this build of the local default; without it, the one that the test command builds
"""

import os
import pathlib
import signal
import sys
import tempfile

import by_line
import by_slack
import by_standard_webhooks
import by_telegram
import by_twilio
from checks import Checks
from fixtures import ROOT
from system import System

# Log of the system.
LOG = "vendors.log"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
VENDORS = {
    "twilio": by_twilio.run,
    "slack": by_slack.run,
    "line": by_line.run,
    "standard webhooks": by_standard_webhooks.run,
    "telegram": by_telegram.run,
}


def main() -> int:
    # Ends as on Ctrl-C, so that the system is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    binary = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET / "debug" / "throughline"
    if not binary.is_file():
        raise SystemExit(f"there is no {binary}; build it first: cargo build --package throughline-local")
    TARGET.mkdir(exist_ok=True)
    checks = Checks()
    with tempfile.TemporaryDirectory() as data, System(binary, pathlib.Path(data), TARGET / LOG) as system:
        for vendor, run in VENDORS.items():
            checks.of(vendor, lambda: run(checks, system))
    print(f"\n{checks.done} checks with the libraries of {len(VENDORS)} vendors, {len(checks.failed)} failed")
    for line in checks.failed:
        print(f"  {line}")
    if checks.failed:
        print(f"What the system said is in {system.log}")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
