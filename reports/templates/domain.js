// The domain of validity: one chart at a time, and tables that are sorted and filtered.
const charts = read("charts");
const pick = byId("pick"), plot = byId("domain-chart");

function domainChart() {
  const { operation, sweep, dtype } = pick.elements;
  return charts.charts[[operation.value, sweep.value, dtype.value].join("/")];
}

const percent = (style, value) => ({ style: `${style}:${value}%` });

function drawDomain() {
  if (!pick) return;
  const chart = domainChart();
  plot.hidden = !chart;
  byId("domain-none").hidden = Boolean(chart);
  if (!chart) return;
  const scale = el("div", { class: "scale" });
  for (const [at, text] of chart.ticks) scale.append(el("i", percent("left", at), text));
  plot.replaceChildren(...chart.bars.flatMap((bar, i) => [
    chart.never && !bar[5] && (i === 0 || chart.bars[i - 1][5]) ? el("p", { class: "never" }, chart.never + " ▸") : "",
    drawBar(bar, chart.ticks),
  ]).filter(Boolean), scale);
}

function drawBar([name, framework, textbook, sound, end, broken, found], ticks) {
  const track = el("div", { class: "track", style: `--dot:${charts.colours[framework]}` });
  for (const [at] of ticks) track.append(el("i", { class: "line", ...percent("left", at) }));
  track.append(
    el("i", { class: "pale bar", ...percent("width", end) }),
    el("i", { class: "bar" + (textbook ? " hollow" : ""), ...percent("width", sound) }),
    el("i", { class: "end", ...percent("left", end) }, broken ? "✖" : "▸"));
  return el("div", { class: "reach", title: `${name}: ${found}` },
    el("p", {}, broken ? el("b", {}, broken + " ") : "", breakable(name)), track);
}

function pickable() {
  const keys = Object.keys(charts.charts).map((key) => key.split("/"));
  const first = charts.first.split("/");
  ["operation", "sweep", "dtype"].forEach((name, place) => {
    const select = pick.elements[name];
    for (const value of new Set(keys.map((key) => key[place]))) {
      select.append(el("option", { value, title: charts.meanings[value] }, value));
    }
    select.value = first[place];
  });
  pick.addEventListener("input", drawDomain);
  pick.addEventListener("submit", (event) => event.preventDefault());
  for (const part of [pick, byId("domain-key"), plot]) part.hidden = false;
}

function sortable(table) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = el("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = [...body.rows].sort((a, b) => compared(a.cells[place], b.cells[place], "number" in head.dataset));
      body.append(...(down ? order.reverse() : order));
    });
    head.replaceChildren(button);
  });
}

function compared(a, b, isNumber) {
  if (!isNumber) return a.textContent.localeCompare(b.textContent, "en");
  const value = (cell) => (cell.dataset.sort === "" ? Infinity : Number(cell.dataset.sort));
  return value(a) === value(b) ? 0 : value(a) - value(b);
}

document.querySelectorAll("table.sortable").forEach(sortable);
if (pick) pickable();
