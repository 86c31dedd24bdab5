// The security score: how much is switched on, what the traffic says against it, and what is worth doing next.

import { bar, el } from "./elements.js";
import { number } from "./format.js";
import { say } from "./words.js";

/** What a card shows of `/api/security/score`. With `room`, so much advice is shown at once, the rest on demand. */
export function scoreParts({ score: points, max_score: most, checks, warnings }, room = Infinity) {
  const open = checks.filter((check) => !check.passed);
  const atOnce = Math.max(room - warnings.length, 1);
  const more = open.slice(atOnce);
  return [
    el("p", { class: "score-value" }, el("strong", {}, number(points)), ` ${say("overview.score.of", { count: number(most) })}`),
    bar(points / most, points >= 80 ? "bar-good" : points >= 50 ? "bar-fair" : "bar-poor"),
    warnings.length ? el("h3", { class: "subheader mt-3" }, say("overview.score.warnings")) : null,
    warnings.length ? el("ul", { class: "advice" }, warnings.map((text) => el("li", { class: "advice-warning" }, text))) : null,
    open.length ? el("ul", { class: "advice mt-3" }, open.slice(0, atOnce).map(advice)) : el("p", { class: "mt-3" }, say("overview.score.perfect")),
    more.length ? el("details", { class: "advice-more" }, el("summary", {}, say("overview.score.more", { count: number(more.length) })),
      el("ul", { class: "advice" }, more.map(advice))) : null,
  ];
}

function advice({ recommendation, points, earned }) {
  return el("li", {}, el("span", {}, recommendation),
    el("span", { class: "tag tag-points" }, say("overview.score.worth", { points: points - earned })));
}
