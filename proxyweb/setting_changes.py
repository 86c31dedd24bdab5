"""Changing settings: checked against their declaration, all or nothing, audited."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from proxyweb import audit
from proxyweb.db.database import advance
from proxyweb.db.session import driver
from proxyweb.errors import Invalid
from proxyweb.escaping import one_line
from proxyweb.models import Setting
from proxyweb.settings import BY_NAME, read, text


def change(session: Session, given: Mapping[str, object], *, now: float, username: str, address: str = "") -> None:
    """Store all of `given` or, when anything is wrong with it, nothing. Raises Invalid naming what is wrong.

    What really changes is audited with its old and its new value.
    """
    new, errors = {}, []
    for name, value in given.items():
        try:
            new[name] = BY_NAME[name].parse(value)
        except KeyError:
            errors.append((one_line(name, 64), "is not a setting"))
        except ValueError as error:
            errors.append((name, str(error)))
    if errors:
        raise Invalid(errors[:10])
    conn = driver(session)
    old = read(conn)
    changed = {name: value for name, value in new.items() if value != old[name]}
    for name, value in changed.items():
        session.merge(Setting(name=name, value=text(value)))
        details = f"{text(old[name])} -> {text(value)}"
        audit.record(session, now, username, "setting changed", target=name, details=details, address=address)
    if changed:
        advance(conn, "settings")
