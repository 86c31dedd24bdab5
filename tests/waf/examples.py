"""Requests out of a rule's examples."""

from __future__ import annotations

from urllib.parse import quote

from proxyweb.waf.rules import Example, Rule

SITE = "http://shop.test"
Request = tuple[str, str, dict[str, str]]


def request(rule: Rule, example: Example) -> Request:
    """Method, URL and headers of a request with the example at the rule's first target."""
    if isinstance(example, str):
        example = _placed(rule.targets[0], example)
    given = {"User-Agent": example.get("agent"), "Referer": example.get("referer")}
    headers = {name: value for name, value in given.items() if value is not None}
    return example.get("method", "GET"), example["url"], headers


def _placed(target: str, text: str) -> dict[str, str]:
    match target:
        case "path":
            return {"url": SITE + quote(text)}
        case "query":
            return {"url": f"{SITE}/?q={quote(text, safe='')}"}
        case "host":
            return {"url": f"http://{text}/"}
        case "agent" | "referer":
            return {"url": f"{SITE}/", target: text}
    return {"url": text}
