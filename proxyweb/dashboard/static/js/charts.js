// Charts, each with the same figures in a table beside it. Colours are the style sheet's, in both themes.

import { byId, el, fill } from "./elements.js";
import { number } from "./format.js";
import { table } from "./table.js";

const drawn = new Map();

/** A colour of the style sheet, such as `--series-blocked`. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Stacked bars in the chart macro's `id`. `labels` are texts; `series` `[{ name, colour: "--series-…", values }]`;
 * `tableColumns` and `tableRows` are the table's; `onSelect(index)` is called for the bar that was clicked.
 */
export function stackedBars(id, { labels, series, caption, tableColumns, tableRows, onSelect }) {
  fill(byId(`${id}-table`), table(tableColumns, tableRows, { caption, kind: "table-sm" }));
  const known = drawn.get(id);
  if (known) {
    known.data.labels = labels;
    series.forEach(({ values }, index) => { known.data.datasets[index].data = values; });
    known.update("none");
    return;
  }
  const chart = new window.Chart(byId(`${id}-canvas`), {
    type: "bar",
    data: {
      labels,
      datasets: series.map(({ name, colour: variable, values }) => (
        { label: name, data: values, variable, backgroundColor: colour(variable), stack: "all", borderRadius: 2 })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      onClick: (_, hit) => hit.length && onSelect?.(hit[0].index),
      onHover: (event, hit) => { event.native.target.style.cursor = hit.length && onSelect ? "pointer" : ""; },
      plugins: {
        legend: { position: "bottom", labels: { boxWidth: 12, boxHeight: 12 } },
        tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${number(item.raw)}` } },
      },
      scales: {
        x: { stacked: true, grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16 } },
        y: { stacked: true, beginAtZero: true, border: { display: false }, ticks: { maxTicksLimit: 6, precision: 0, callback: number } },
      },
    },
  });
  drawn.set(id, chart);
  dress(chart);
}

function dress(chart) {
  const { plugins, scales } = chart.options;
  for (const dataset of chart.data.datasets) dataset.backgroundColor = colour(dataset.variable);
  plugins.legend.labels.color = colour("--chart-text");
  for (const scale of [scales.x, scales.y]) scale.ticks.color = colour("--chart-text");
  scales.y.grid = { color: colour("--chart-line") };
  chart.update("none");
}

document.addEventListener("theme", () => drawn.forEach(dress));
