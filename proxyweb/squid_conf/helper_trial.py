"""Whether Squid's user can start the helper: Squid denies every request when it can't."""

from __future__ import annotations

import os
import pwd
import subprocess

from proxyweb.squid_conf.include_file import Places

SECONDS = 20.0


class Untried(Exception):
    """It takes another user, or root, to try."""


def complaint(places: Places, user: str) -> str:
    """What the helper has against being started by `user`, in a sentence; empty when it does its work.

    It is started, given nothing to judge, and ends. Raises Untried.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise Untried(f"there is no user {user} here") from None
    if os.geteuid() not in (0, account.pw_uid):
        raise Untried(f"only {user} or root can try it")
    try:
        run = subprocess.run(
            [*places.program, "waf-helper"],
            **_becoming(account),  # type: ignore[call-overload]
            env={"PROXYWEB_INSTANCE": str(places.instance), "PATH": os.defpath},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
        )
    except OSError as error:
        return f"{user} can't start {places.program[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"started by {user}, the helper doesn't end when its input does"
    said = run.stderr.decode("utf-8", "replace").strip().splitlines()
    if run.returncode:
        return f"started by {user}, the helper ends with {run.returncode}: {said[-1] if said else ''}"
    return f"started by {user}, the helper says: {said[-1]}" if said else ""


def _becoming(account: pwd.struct_passwd) -> dict[str, object]:
    if os.geteuid() == account.pw_uid:
        return {}
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}
