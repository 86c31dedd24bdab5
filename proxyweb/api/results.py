"""What became of requests, when they were made, with which browsers, and by whom."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from proxyweb.api import context
from proxyweb.api.analytics import TimedCount, TopQuery, counted
from proxyweb.api.answers import Answer, Shape
from proxyweb.api.binding import answers, query
from proxyweb.api.conditional import conditional
from proxyweb.api.durations import Timed, took
from proxyweb.api.envelope import success
from proxyweb.api.log_entries import masks
from proxyweb.api.times import written
from proxyweb.api.windows import GRAIN, bounds, ending_now
from proxyweb.catalogue.agent_rules import BROWSER
from proxyweb.catalogue.agents import UNKNOWN
from proxyweb.db.connection import snapshot
from proxyweb.queries import programs, results, users

blueprint = APIBlueprint("results", __name__, tag="Analytics")

SECONDS_OF_DAY = 86_400


class StatusCounted(Timed):
    """A status code as Squid sent it to clients (0: none), its requests, and the bytes sent for them."""

    status_code: int
    requests: int
    bytes: int


class ResultCounted(Timed):
    """A result of Squid's, such as `TCP_MISS`."""

    result_code: str
    requests: int
    bytes: int


class ContentTypeCounted(Timed):
    """A content type, without its parameters and in lower case."""

    content_type: str
    requests: int
    bytes: int


class HourOfDay(Timed):
    """An hour of the day in UTC, all days of the window together."""

    hour: int
    requests: int
    blocked: int


class DayOfClients(Timed):
    """How many clients asked for anything on a day of UTC, and their requests."""

    day: str
    clients: int
    requests: int


class ResultList(Shape):
    """Requests by what became of them, all lists but `hours_of_day` and `days` most requests first.

    `statuses`, `result_codes` and `hours_of_day` are all of `total`; content types, systems and browsers are the
    `limit` most frequent, of requests that have one. `days` are those on which there were requests, oldest first, each
    whole, also where the window begins or ends in it; while `gdpr_mode` is on, clients masked alike are one.
    """

    since: str
    until: str
    total: int
    statuses: list[StatusCounted]
    result_codes: list[ResultCounted]
    content_types: list[ContentTypeCounted]
    systems: list[TimedCount]
    browsers: list[TimedCount]
    hours_of_day: list[HourOfDay]
    days: list[DayOfClients]


class UserCounted(Shape):
    """A user that Squid authenticated, a pseudonym while `gdpr_mode` is on, and the user's requests."""

    user: str
    requests: int


class UserList(Shape):
    """How many users there were, and the busiest of them, most requests first."""

    since: str
    until: str
    total_users: int
    users: list[UserCounted]


@blueprint.get("/api/analytics/results")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(TopQuery)
@answers(Answer[ResultList])
def result_list(parameters: TopQuery) -> Response:
    """Status codes, results, content types, systems, browsers, hours of the day, and clients by day."""
    limit = parameters.limit
    mask_client, _ = masks()
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        found = results.results(conn, window)
        agents = programs.agents(conn, window)
        hours = results.hours_of_day(conn, window)
        days = results.days(conn, window, mask_client)
    browsers = (agent for agent in agents if agent.service_type == BROWSER)
    return success(
        {
            **bounds(window),
            "total": found.total,
            "statuses": [{"status_code": int(sums.value), **_figures(sums)} for sums in found.statuses],
            "result_codes": [{"result_code": sums.value, **_figures(sums)} for sums in found.result_codes],
            "content_types": [{"content_type": sums.value, **_figures(sums)} for sums in found.content_types[:limit]],
            "systems": counted((agent.system or UNKNOWN, agent.requests, agent.elapsed_ms) for agent in agents)[:limit],
            "browsers": counted((agent.name, agent.requests, agent.elapsed_ms) for agent in browsers)[:limit],
            "hours_of_day": [{**hour._asdict(), **took(hour.elapsed_ms, hour.requests)} for hour in hours],
            "days": [
                {
                    "day": written(day.day * SECONDS_OF_DAY)[:10],
                    "clients": day.clients,
                    "requests": day.requests,
                    **took(day.elapsed_ms, day.requests),
                }
                for day in days
            ],
        }
    )


@blueprint.get("/api/users/statistics")
@conditional("logs", grain=GRAIN, serves_on=True)
@query(TopQuery)
@answers(Answer[UserList])
def user_statistics(parameters: TopQuery) -> Response:
    """The busiest of the users that Squid authenticated."""
    _, mask_user = masks()
    with context.reading() as conn, snapshot(conn):
        window = ending_now(conn, parameters.window)
        total, busiest = users.busiest_users(conn, window, parameters.limit, mask_user)
    shown = [{"user": name, "requests": requests} for name, requests in busiest]
    return success({**bounds(window), "total_users": total, "users": shown})


def _figures(sums: results.Sums) -> dict[str, int | None]:
    return {"requests": sums.requests, "bytes": sums.bytes, **took(sums.elapsed_ms, sums.requests)}
