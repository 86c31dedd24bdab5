// Figures and times as people read them: in the habits of their browser, times in their zone with UTC in the title.

import { el } from "./elements.js";
import { say } from "./words.js";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const hourAndMinute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayAndClock = new Intl.DateTimeFormat(undefined, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const dayAndHour = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const utcDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

/** 1234567 → "1,234,567". */
export function number(value) {
  return whole.format(value);
}

/** 1234567 → "1.23 MB"; thousands, as disks and networks are measured. */
export function bytes(value) {
  let unit = 0;
  while (Math.abs(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${short.format(value)} ${UNITS[unit]}`;
}

/** 3 of 40 → "7.5%"; of nothing, a dash. */
export function percent(part, of = 1) {
  return of > 0 ? share.format(part / of) : say("format.none");
}

/** 95.2 → "1 min 35 s". */
export function duration(seconds) {
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
  return `${number(Math.floor(rounded / 3600))} h ${Math.floor((rounded % 3600) / 60)} min`;
}

/** 340 → "340 ms", 1432 → "1.43 s", 95200 → "1 min 35 s". */
export function lasted(milliseconds) {
  if (milliseconds < 1000) return say("format.milliseconds", { count: number(milliseconds) });
  return milliseconds < 60_000 ? `${short.format(milliseconds / 1000)} s` : duration(milliseconds / 1000);
}

/** How long a row's requests took on average, with all of it in the title; a dash where the log doesn't tell. */
export function meanTime({ mean_ms: mean, elapsed_ms: all }) {
  if (mean === null) return say("format.none");
  return el("span", { title: say("format.in_all", { time: lasted(all) }) }, lasted(mean));
}

/** The API's `YYYY-MM-DD HH:MM:SS`, which is UTC. */
export function instant(text) {
  return new Date(`${text.replace(" ", "T")}Z`);
}

/** A `<time>` of the API's text: today by the clock, else with its day. */
export function time(text) {
  const moment = instant(text);
  const isToday = moment.toDateString() === new Date().toDateString();
  return el("time", { datetime: moment.toISOString(), title: `${text} UTC` },
    (isToday ? clock : dayAndClock).format(moment));
}

/** A `<time>` with day and year. */
export function fullTime(text) {
  const moment = instant(text);
  return el("time", { datetime: moment.toISOString(), title: `${text} UTC` }, full.format(moment));
}

/** A `Date` by the clock: to the second, or to the minute. */
export function clockTime(moment) {
  return clock.format(moment);
}

export function hourTime(moment) {
  return hourAndMinute.format(moment);
}

/** A `Date` within a few days: "Wed 14:00". */
export function dayHourTime(moment) {
  return dayAndHour.format(moment);
}

/** The day, for what is counted by days of UTC. */
export function dayOfUtc(moment) {
  return utcDay.format(moment);
}
