"""What the scripts that ask a server share: each answer is compared with the one that is expected."""

import sys

failed = False


def check(what, found, expected=True):
    """Prints whether an answer is the expected one; returns it."""
    global failed
    good = found == expected
    failed |= not good
    print(f"ok    {what}" if good else f"FAIL  {what}: expected {expected!r}, got {found!r}", flush=True)
    return good


def end():
    """Ends the script: with 1 when an answer was another one."""
    sys.exit(failed)
