// The domain of validity: one chart at a time, and tables that are sorted and filtered.
const pick = byId("pick"), plot = byId("domain-chart");
const searches = [...document.querySelectorAll("#domain [data-framework]")].map((part) => ({
  part, dtypes: part.dataset.dtype.split(" "), ways: part.dataset.way.split("|"), text: part.textContent, ...part.dataset,
}));

function domainFigure() {
  const { operation, sweep, dtype } = pick.elements;
  return charts.domain.figures[[operation.value, sweep.value, dtype.value].join("/")];
}

// A label that is too long for the page loses its middle.
function shortened(text, room) {
  const [, value, name] = text.match(/^(<b>.*?<\/b> )?(.*)$/s);
  const left = room - (value || "").length;
  return name.length <= left ? text : (value || "") + name.slice(0, left / 2 - 1) + "…" + name.slice(1 - left / 2);
}

function drawDomain() {
  if (!pick) return;
  const figure = domainFigure();
  plot.hidden = !figure;
  byId("domain-none").hidden = Boolean(figure);
  if (!figure) return;
  const layout = themed(figure.layout), narrow = innerWidth < 600;
  const paper = getComputedStyle(document.body).getPropertyValue("--paper").trim(), ink = layout.font.color;
  const { hovertext } = figure.data[0], size = narrow ? 10 : 12;
  const data = figure.data.map((trace) => {
    const made = { ...trace, hovertext };
    if (trace.mode === "text") {
      made.textfont = { size };
      made.text = trace.text.map((text) => shortened(text, Math.floor(plot.clientWidth / (size * 0.56))));
    } else if (trace.mode === "markers") made.marker = { ...trace.marker, color: ink };
    else made.marker = { ...trace.marker, pattern: { ...trace.marker.pattern, fgcolor: paper } };
    return made;
  });
  Plotly.react(plot, data, layout, charts.config);
}

function pickable() {
  const keys = Object.keys(charts.domain.figures).map((key) => key.split("/"));
  const first = charts.domain.first.split("/");
  ["operation", "sweep", "dtype"].forEach((name, place) => {
    const select = pick.elements[name];
    for (const value of new Set(keys.map((key) => key[place]))) {
      select.append(el("option", { value, title: charts.domain.meanings[value] }, value));
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

function fits(search) {
  return (!filters.framework || search.framework === filters.framework)
    && (!filters.operation || search.operation === filters.operation)
    && (!filters.kind || search.kind === filters.kind)
    && (!filters.dtype || search.dtypes.includes(filters.dtype))
    && (!filters.way || search.ways.includes(filters.way))
    && says(search.text, search.operation, search.framework);
}

function filterDomain() {
  for (const search of searches) search.part.hidden = !fits(search);
  for (const part of document.querySelectorAll("#domain .kept, #domain .searches")) {
    part.hidden = !part.querySelector("[data-framework]:not([hidden])");
  }
}

document.querySelectorAll("table.sortable").forEach(sortable);
if (pick) pickable();
scheme.addEventListener("change", drawDomain);
let redraw = 0;
addEventListener("resize", () => {
  clearTimeout(redraw);
  redraw = setTimeout(drawDomain, 200);
});
