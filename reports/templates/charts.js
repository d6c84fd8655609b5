// The timings: a chart is drawn when its part of the page is opened.
const charts = read("charts");
const scheme = matchMedia("(prefers-color-scheme: dark)");

function themed(layout) {
  const style = getComputedStyle(document.body);
  const ink = style.getPropertyValue("--ink").trim(), line = style.getPropertyValue("--line").trim();
  const axis = { gridcolor: line, linecolor: line, tickcolor: line };
  return {
    ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, family: style.fontFamily, size: 12 },
    xaxis: { ...layout.xaxis, ...axis }, yaxis: { ...layout.yaxis, ...axis },
    annotations: layout.annotations.map((label) => ({ ...label, font: { color: ink, size: innerWidth < 600 ? 9.5 : 12 } })),
    hoverlabel: { bgcolor: style.getPropertyValue("--panel").trim(), bordercolor: line, font: { color: ink }, align: "left" },
  };
}

function drawChart(part) {
  const figure = charts.figures[Number(part.dataset.figure)];
  if (part.open && figure) {
    Plotly.react(part.querySelector(".chart"), figure.data, themed(figure.layout), charts.config);
  }
}

const parts = [...document.querySelectorAll("details.timing")];
for (const part of parts) part.addEventListener("toggle", () => drawChart(part));
scheme.addEventListener("change", () => parts.forEach(drawChart));
