// Charts, each with the same figures in a table beside it. Colours are the style sheet's, in both themes.
//
// All take the chart macro's `id` and `{ labels, series, caption, tableColumns, tableRows, onSelect, empty, format }`:
// `labels` are texts; `series` `[{ name, colour: "--series-…", values }]`; `tableColumns` and `tableRows` are the
// table's; `onSelect(index)` is called for the bar or point that was clicked; `empty` are words to show instead of a
// chart, when there is nothing to draw; `format` writes a value.

import { byId, fill } from "./elements.js";
import { number } from "./format.js";
import { table } from "./table.js";

const SLICES = 8;
const drawn = new Map();

/** A colour of the style sheet, such as `--series-blocked`. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Upright bars, the series on top of each other. */
export function stackedBars(id, figures) {
  draw(id, figures, "bar", { scales: { x: along({ stacked: true }), y: figuresAxis(id, { stacked: true }) } }, { stack: "all", borderRadius: 2 });
}

/** Bars that lie, one below the other: for names too long to stand below a bar. Of more series, null is no bar. */
export function lyingBars(id, figures) {
  const stacked = figures.series.length > 1;
  const options = {
    indexAxis: "y",
    interaction: { mode: "index", intersect: false, axis: "y" },
    scales: { x: figuresAxis(id, { stacked }), y: along({ stacked }, { autoSkip: false }) },
  };
  draw(id, figures, "bar", options, { borderRadius: 2 });
}

/** Lines over time. */
export function lines(id, figures) {
  const options = { scales: { x: along(), y: figuresAxis(id) } };
  draw(id, figures, "line", options, { borderWidth: 2, pointRadius: 2, pointHoverRadius: 4, cubicInterpolationMode: "monotone" });
}

/** Shares of a whole, of a single series without a colour; more slices than there are colours go round again. */
export function doughnut(id, figures) {
  draw(id, figures, "doughnut", { cutout: "62%", interaction: { mode: "nearest", intersect: true } }, { borderWidth: 0, spacing: 2 });
}

function along(more = {}, ticks = {}) {
  return { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16, ...ticks }, ...more };
}

function figuresAxis(id, more = {}) {
  const callback = (value) => written(id, value);
  return { beginAtZero: true, border: { display: false }, ticks: { maxTicksLimit: 6, precision: 0, callback }, ...more };
}

function written(id, value) {
  return (drawn.get(id)?.figures.format ?? number)(value);
}

function draw(id, figures, type, options, ofSeries) {
  const { caption, tableColumns, tableRows, empty } = figures;
  const place = byId(`${id}-canvas`).parentElement;
  place.classList.toggle("is-empty", Boolean(empty));
  byId(`${id}-empty`).hidden = !empty;
  fill(byId(`${id}-empty`), empty ?? null);
  fill(byId(`${id}-table`), table(tableColumns, tableRows, { caption, kind: "table-sm" }));
  const known = drawn.get(id);
  if (known?.chart.data.datasets.length !== figures.series.length) known?.chart.destroy();
  else return redraw(known, figures);
  const entry = { figures };
  drawn.set(id, entry);
  entry.chart = new window.Chart(byId(`${id}-canvas`), {
    type,
    data: {
      labels: figures.labels,
      datasets: figures.series.map(({ name, colour: variable, values }) => ({ label: name, data: values, variable, ...ofSeries, ...dye(variable) })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      onClick: (_, hit) => hit.length && entry.figures.onSelect?.(hit[0].index),
      onHover: (event, hit) => { event.native.target.style.cursor = hit.length && entry.figures.onSelect ? "pointer" : ""; },
      plugins: {
        legend: { display: type === "doughnut" || figures.series.length > 1, position: "bottom", labels: { boxWidth: 12, boxHeight: 12 } },
        tooltip: { filter: ({ raw }) => raw !== null, callbacks: { label: (item) => `${item.dataset.label}: ${written(id, item.raw)}` } },
      },
      ...options,
    },
  });
  return dress(entry);
}

function redraw(entry, figures) {
  entry.figures = figures;
  entry.chart.data.labels = figures.labels;
  figures.series.forEach(({ name, values }, index) => { Object.assign(entry.chart.data.datasets[index], { label: name, data: values }); });
  entry.chart.update("none");
}

function dress({ chart }) {
  const { plugins, scales } = chart.options;
  for (const dataset of chart.data.datasets) Object.assign(dataset, dye(dataset.variable));
  plugins.legend.labels.color = colour("--chart-text");
  if (scales.x) {
    for (const scale of [scales.x, scales.y]) scale.ticks.color = colour("--chart-text");
    const upright = chart.options.indexAxis !== "y";
    (upright ? scales.y : scales.x).grid = { color: colour("--chart-line") };
  }
  chart.update("none");
}

/** The colours of a series; without one of its own, a colour for each slice. */
function dye(variable) {
  const dyed = variable ? colour(variable) : Array.from({ length: SLICES }, (_, index) => colour(`--slice-${index + 1}`));
  return { backgroundColor: dyed, borderColor: dyed };
}

document.addEventListener("theme", () => drawn.forEach(dress));
