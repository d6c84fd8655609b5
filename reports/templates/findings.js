// The findings: one line of a kind, which opens.
const PAGE = 40, OPENED = 12;
const list = byId("list"), more = byId("more"), chosenLine = byId("chosen");
let kinds = [], drawn = 0;

const details = new Map();
for (const finding of findings) {
  const key = kindOf(finding, finding.code);
  if (!details.has(key)) details.set(key, []);
  details.get(key).push(finding);
}

function kindOf(item, code) {
  return `${item.asked.id},${item.column.id},${code}`;
}

function mentioned(finding) {
  return says(finding.asked.name, finding.asked.operation, finding.asked.framework, finding.column.name,
    codes[finding.code].word, finding.case, finding.note, finding.quantity);
}

// Whether the text is in the details of the findings that a cell counts.
function foundIn(cell, code) {
  return codes[code].finding && (details.get(kindOf(cell, code)) || []).some(mentioned);
}

function findKinds() {
  const found = new Map();
  for (const [cell, code, count] of counted()) {
    if (!codes[code].finding || !chosen(cell)) continue;
    const key = kindOf(cell, code);
    if (!found.has(key)) {
      found.set(key, { key, code, asked: cell.asked, column: cell.column, count: 0, dtypes: new Set(), ways: new Set() });
    }
    const kind = found.get(key);
    kind.count += count;
    kind.dtypes.add(cell.dtype);
    kind.ways.add(cell.way);
  }
  const result = [...found.values()].filter((kind) => {
    kind.items = (details.get(kind.key) || []).filter((item) => passes(item) && mentioned(item));
    const sizes = kind.items.map((item) => (item.ratio === null ? Infinity : item.ratio));
    kind.ratio = sizes.length ? Math.max(...sizes) : -1;
    return kind.items.length
      || says(kind.asked.name, kind.asked.operation, kind.asked.framework, kind.column.name, codes[kind.code].word);
  });
  return result.sort((a, b) => codes[a.code].known - codes[b.code].known || a.asked.order - b.asked.order || (b.ratio > a.ratio) - (b.ratio < a.ratio)
    || codes[b.code].rank - codes[a.code].rank || a.asked.id - b.asked.id);
}

function drawFindings() {
  kinds = findKinds();
  drawn = 0;
  list.replaceChildren();
  chosenLine.hidden = !filters.cell;
  if (filters.cell) {
    const clear = el("button", { type: "button" }, "show all");
    clear.addEventListener("click", () => { filters.cell = null; drawFindings(); });
    chosenLine.replaceChildren("Only ", el("b", {}, breakable(filters.cell.label)), " ", clear);
  }
  if (!kinds.length) list.append(el("p", { class: "empty" }, filters.cell ? "No findings in this cell." : "No findings pass these filters."));
  drawMore();
}

function drawMore() {
  const next = kinds.slice(drawn, drawn + PAGE);
  let before = drawn ? codes[kinds[drawn - 1].code].look : null;
  for (const kind of next) {
    const { look } = codes[kind.code];
    if (look !== before) list.append(el("h3", { class: "part " + look }, look === "new" ? "New" : "Known to the ledger"));
    before = look;
    list.append(drawKind(kind));
  }
  drawn += next.length;
  more.hidden = drawn >= kinds.length;
  more.textContent = `Show ${Math.min(PAGE, kinds.length - drawn)} more of ${kinds.length - drawn}`;
}

function drawKind(kind) {
  const ratio = kind.ratio > 0 && Number.isFinite(kind.ratio) ? number(kind.ratio) + " × bound" : "";
  const summary = el("summary", {},
    badge(kind.code),
    el("span", { class: "name" }, el("code", {}, breakable(kind.asked.name)), kind.asked.kind === "native" ? "" : el("span", { class: "kind" }, kind.asked.kind)),
    el("span", { class: "what" }, el("b", {}, codes[kind.code].word), " on ", el("em", {}, kind.column.name)),
    el("span", { class: "where" }, data.dtypes.filter((dtype) => kind.dtypes.has(dtype)).join(", ") + " · " + [...kind.ways].join(", ")),
    el("span", { class: "n" }, ratio),
    el("span", { class: "n" }, groups.format(kind.count), el("small", {}, kind.count === 1 ? " verdict" : " verdicts")));
  const made = el("details", { class: "finding " + codes[kind.code].look }, summary);
  made.addEventListener("toggle", () => {
    if (made.open && made.children.length === 1) open(made, kind, 0);
  });
  return made;
}

function open(place, kind, from) {
  for (const item of kind.items.slice(from, from + OPENED)) place.append(drawFinding(item));
  const left = kind.items.length - from - OPENED;
  if (left > 0) {
    const button = el("button", { type: "button" }, `Show ${Math.min(left, OPENED)} more of ${groups.format(left)}`);
    button.addEventListener("click", () => { button.remove(); open(place, kind, from + OPENED); });
    place.append(button);
  } else if (kind.count > kind.items.length && !filters.text) {
    place.append(el("p", { class: "muted" }, `${groups.format(kind.count - kind.items.length)} more like these are in the run file; `
      + "the page holds the worst. ", el("code", {}, "lossdiff show"), " lists them all."));
  }
}

function drawFinding(item) {
  const facts = el("dl", { class: "answer-facts" });
  const fact = (name, value) => {
    if (value) facts.append(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  };
  const related = codes[item.code].word.startsWith("relation:");
  fact(related ? "one side" : "right", item.exact);
  fact(related ? "the other" : "given", item.got);
  fact(related ? "difference / bounds" : "error / bound", item.ratio === null ? "" : number(item.ratio));
  fact("ulp", item.ulp === null ? "" : number(item.ulp));
  fact(related ? "difference" : "absolute error", item.abs === null ? "" : number(item.abs));
  const how = [item.quantity.replaceAll("_", " "), item.way, item.where ? "at " + item.where : ""].filter(Boolean);
  return el("article", { class: "one" },
    el("p", { class: "id" }, el("code", {}, breakable(item.case)), el("small", {}, how.join(" · "))),
    facts, drawInputs(item.inputs), item.note ? el("p", { class: "note" }, item.note) : "");
}

function drawInputs(inputs) {
  if (!inputs || !inputs.length) return el("p", { class: "inputs muted" }, "inputs: not shown here, the id reproduces them");
  const [text, start, total, worstAt, target, row] = inputs;
  const shown = data.texts[text] ? data.texts[text].split(" ") : [];
  const made = el("p", { class: "inputs" }, el("span", { class: "muted" }, "input "), start > 0 ? "… " : "");
  shown.forEach((value, i) => made.append(start + i === worstAt ? el("mark", {}, value) : value, " "));
  if (start + shown.length < total) made.append("… ");
  made.append(el("small", {}, total === 1 ? "(1 number" : `(${groups.format(total)} numbers`, data.texts[row] ? ", " + data.texts[row] + ")" : ")"));
  if (data.texts[target]) made.append(el("span", { class: "muted" }, " target "), data.texts[target]);
  return made;
}

more.addEventListener("click", drawMore);
