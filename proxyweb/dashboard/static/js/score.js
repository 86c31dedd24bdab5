// The security score: how much is switched on, what the traffic says against it, and what is worth doing next.

import { bar, el } from "./elements.js";
import { number } from "./format.js";
import { say } from "./words.js";

/** What a card shows of `/api/security/score`. */
export function scoreParts({ score: points, max_score: most, checks, warnings }) {
  const open = checks.filter((check) => !check.passed);
  return [
    el("p", { class: "score-value" }, el("strong", {}, number(points)), ` ${say("overview.score.of", { count: number(most) })}`),
    bar(points / most, points >= 80 ? "bar-good" : points >= 50 ? "bar-fair" : "bar-poor"),
    warnings.length ? el("h3", { class: "subheader mt-3" }, say("overview.score.warnings")) : null,
    warnings.length ? el("ul", { class: "advice" }, warnings.map((text) => el("li", { class: "advice-warning" }, text))) : null,
    open.length ? el("ul", { class: "advice mt-3" }, open.map(advice)) : el("p", { class: "mt-3" }, say("overview.score.perfect")),
  ];
}

function advice({ recommendation, points, earned }) {
  return el("li", {}, el("span", {}, recommendation),
    el("span", { class: "tag tag-points" }, say("overview.score.worth", { points: points - earned })));
}
