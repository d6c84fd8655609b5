// What the page knows: the data, the filters, and how a verdict looks.
const root = document.documentElement;
const note = (name, text) => {
  root.dataset[name] = (root.dataset[name] ? root.dataset[name] + " | " : "") + text;
};
addEventListener("error", (event) => note("errors", String(event.message)));
addEventListener("unhandledrejection", (event) => note("errors", String(event.reason)));
addEventListener("securitypolicyviolation", (event) => note("blocked", event.blockedURI || "inline"));

const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const data = read("data");
const asked = data.asked.map(([framework, operation, name, kind, library], id) => {
  return { id, framework, library, operation, name, kind, textbook: kind === "textbook", order: data.kinds.indexOf(kind) };
});
const columns = data.columns.map(([name, group, why], id) => ({ id, name, group, why }));

// A code is twice the number of a verdict, plus 1 if the ledger names it.
const codes = data.verdicts.flatMap(([word, symbol, group, severity]) => {
  const finding = group === "finding";
  return [false, true].map((known) => ({
    word, symbol, finding, known: finding && known,
    look: finding ? (known ? "known" : "new") : group,
    rank: severity + (finding ? (known ? 100 : 200) : 0),
  }));
});

// data.cells: [asked, column, dtype, way, ratio, code, count, code, count, …]
const cells = data.cells.map(([a, c, d, w, ratio, ...counts]) => {
  return { asked: asked[a], column: columns[c], dtype: data.dtypes[d], way: data.ways[w], ratio: size(ratio), counts };
});

// [asked, column, dtype, way, code, case, quantity, ratio, ulp, abs, where, exact, got, note, run]
function answer([a, c, d, w, code, id, quantity, ratio, ulp, abs, where, exact, got, text, run]) {
  const t = data.texts;
  return {
    asked: asked[a], column: columns[c], dtype: data.dtypes[d], way: data.ways[w], code,
    case: t[id], quantity: t[quantity], ratio: size(ratio), ulp: size(ulp), abs: size(abs),
    where: t[where], exact, got, note: t[text], run: data.runs[run],
    inputs: data.inputs[id + "," + where], who: data.who[id + "," + quantity],
  };
}
const findings = data.findings.map(answer), examples = data.examples.map(answer);

// The fields of the form, each a key of the address, and the cell that is open.
const FIELDS = ["framework", "operation", "dtype", "way", "kind", "look", "text"];
const filters = { framework: "", operation: "", dtype: "", way: "", kind: "", look: "", text: "", cell: null };

function size(value) {
  return value === null ? null : Number(value);
}

// The filter of libraries takes a framework, too, and a framework stands for all of its libraries.
const frameworkOf = Object.fromEntries(data.libraries);
function isOf(library, wanted) {
  return library === wanted || frameworkOf[library] === wanted || frameworkOf[wanted] === library;
}

function passes(item) {
  const who = item.asked;
  return (!filters.framework || isOf(who.library, filters.framework) || who.framework === filters.framework)
    && (!filters.operation || who.operation === filters.operation)
    && (!filters.kind || who.kind === filters.kind)
    && (!filters.dtype || item.dtype === filters.dtype)
    && (!filters.way || item.way === filters.way);
}

function looks(code) {
  const look = codes[code].look;
  return !filters.look || filters.look === look || (filters.look === "finding" && codes[code].finding);
}

function says(...texts) {
  if (!filters.text) return true;
  return filters.text.toLowerCase().split(/\s+/).every((word) => texts.some((text) => text.toLowerCase().includes(word)));
}

function chosen(item) {
  const cell = filters.cell;
  return !cell || (cell.asked.has(item.asked.id) && cell.columns.has(item.column.id));
}

// Visit [cell, code, count] of all that the filters let through, the chosen cell and the text aside.
function* counted() {
  for (const cell of cells) {
    if (!passes(cell)) continue;
    for (let i = 0; i < cell.counts.length; i += 2) {
      if (looks(cell.counts[i])) yield [cell, cell.counts[i], cell.counts[i + 1]];
    }
  }
}

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

// Text that may break after dots, slashes and underscores.
function breakable(text) {
  const made = document.createDocumentFragment();
  for (const part of text.split(/(?<=[./_])|(?<=[a-z])(?=[A-Z][a-z])/)) made.append(part, document.createElement("wbr"));
  return made;
}

function badge(code) {
  const { look, symbol } = codes[code];
  return el("span", { class: "mark " + look, "aria-hidden": "true" }, symbol);
}

function verdictText(code) {
  const { finding, known, word } = codes[code];
  return finding ? (known ? "known: " : "new: ") + word : word;
}

const groups = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
function number(value) {
  if (value === null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return "∞";
  const large = Math.abs(value);
  if (large && (large < 1e-3 || large >= 1e5)) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    const raised = String(Number(exponent)).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
    return mantissa + "×10" + raised;
  }
  return large >= 100 ? groups.format(value) : String(Number(value.toPrecision(3)));
}
