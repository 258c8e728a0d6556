"""Counts what is checked, and prints one line for each."""

import traceback


class Checks:
    """What was checked so far, of whatever vendor."""

    def __init__(self):
        self.vendor = ""
        self.done = 0
        self.failed: list[str] = []

    def of(self, vendor: str, run):
        """Runs the checks of one vendor. An exception is a check that failed."""
        self.vendor = vendor
        before = self.done
        try:
            run()
        except Exception:
            self.that("runs to its end", False, traceback.format_exc())
        print(f"     {vendor}: {self.done - before} checks", flush=True)

    def that(self, what: str, holds: bool, seen: object = None):
        """Checks that something holds; `seen` is shown when it does not."""
        self.done += 1
        line = f"{self.vendor}: {what}"
        print(f"{'ok  ' if holds else 'FAIL'} {line}", flush=True)
        if not holds:
            self.failed.append(line)
            if seen is not None:
                print(f"     seen: {seen}", flush=True)

    def equal(self, what: str, seen: object, wanted: object):
        """Checks that two things are equal."""
        self.that(what, seen == wanted, f"{seen!r}, not {wanted!r}")

    def verdict(self, what: str, right: bool, vendor: bool, status: int):
        """Checks that the vendor's own validator and our endpoint both take a request, or both refuse it."""
        ours = {200: True, 202: True, 401: False}.get(status)
        said = f"{what} is {'taken' if right else 'refused'} by both"
        self.that(said, vendor is right and ours is right, f"vendor {vendor}, we {status}")
