// The panel: what is behind a cell of the matrix, the gravest verdict first.
const panel = byId("cell"), SHOWN = 3;
const behind = new Map();
for (const item of [...findings, ...examples]) {
  const key = item.asked.id * columns.length + item.column.id;
  if (!behind.has(key)) behind.set(key, []);
  behind.get(key).push(item);
}

function openPanel(about) {
  const { label, head, sums, members } = about;
  const items = members.flatMap((who) => head.members.flatMap((column) => behind.get(who.id * columns.length + column.id) || []))
    .filter((item) => passes(item) && looks(item.code));
  const close = el("button", { type: "button", class: "close", "aria-label": "Close" }, "✕");
  close.addEventListener("click", closePanel);
  panel.replaceChildren(
    el("header", {}, el("h3", { tabindex: -1 }, el("code", {}, breakable(label)), " on ", el("em", {}, head.label)), close),
    head.why ? el("p", { class: "muted" }, head.why) : "",
    byId("function-" + label) ? el("p", {}, el("a", { href: "#function-" + encodeURIComponent(label) }, "All about this function")) : "",
    tallyOf(sums.wide, sums.narrow), ...drawAnswers(items, sums));
  panel.hidden = false;
  panel.scrollTop = 0;
}

function closePanel() {
  if (panel.hidden) return;
  panel.hidden = true;
  filters.cell = null;
  remember();
  const back = walk.length && walk[at[0]][at[1]];
  if (back) back.focus({ preventScroll: true });
}

// One line for each verdict, with its counts.
function tallyOf(wide, narrow) {
  const made = el("table", { class: "tally" }, el("thead", {}, el("tr", {},
    el("th", { scope: "col" }, "Verdict"), el("th", { scope: "col", class: "n" }, "32 and 64 bits"), el("th", { scope: "col", class: "n" }, "16 bits"))));
  const body = el("tbody"), found = new Set([...wide.counts.keys(), ...narrow.counts.keys()]);
  for (const code of [...found].sort((a, b) => codes[b].rank - codes[a].rank)) {
    const amount = (sum) => (sum.counts.get(code) ? groups.format(sum.counts.get(code)) : "–");
    body.append(el("tr", {}, el("th", { scope: "row" }, badge(code), " ", verdictText(code)),
      el("td", { class: "n" }, amount(wide)), el("td", { class: "n" }, amount(narrow))));
  }
  made.append(body);
  return made;
}

function drawAnswers(items, sums) {
  const found = new Map();
  for (const item of items) {
    if (!found.has(item.code)) found.set(item.code, []);
    found.get(item.code).push(item);
  }
  const parts = [...found].sort((a, b) => codes[b[0]].rank - codes[a[0]].rank).map(([code, some]) => {
    some.sort((a, b) => narrow(a) - narrow(b) || (b.ratio ?? Infinity) - (a.ratio ?? Infinity) || a.case.length - b.case.length);
    const count = (sums.wide.counts.get(code) || 0) + (sums.narrow.counts.get(code) || 0);
    const part = el("section", { class: "verdict" }, el("h4", {}, badge(code), " ", verdictText(code), el("span", { class: "muted" }, ` ${groups.format(count)}`)));
    moreAnswers(part, some, 0, count);
    return part;
  });
  return parts.length ? parts : [el("p", { class: "muted" }, "The page has no answer of this cell; ", el("code", {}, "lossdiff show"), " lists them.")];
}

function narrow(item) {
  return data.narrow.includes(item.dtype) ? 1 : 0;
}

function moreAnswers(part, items, from, count) {
  for (const item of items.slice(from, from + SHOWN)) part.append(drawAnswer(item));
  const left = items.length - from - SHOWN;
  if (left > 0) {
    const button = el("button", { type: "button" }, `Show ${Math.min(left, SHOWN)} more of ${groups.format(left)}`);
    button.addEventListener("click", () => { button.remove(); moreAnswers(part, items, from + SHOWN, count); });
    part.append(button);
  } else if (count > items.length) part.append(el("p", { class: "muted" }, "The worst of them; the run file has all."));
}

function drawAnswer(item) {
  const facts = el("dl", { class: "answer-facts" });
  const fact = (name, value) => { if (value) facts.append(el("div", {}, el("dt", {}, name), el("dd", {}, value))); };
  const related = codes[item.code].word.startsWith("relation:");
  fact(related ? "one side" : "right", item.exact);
  fact(related ? "the other" : "given", item.got);
  fact(related ? "difference / bounds" : "largest error / bound", item.ratio === null ? "" : number(item.ratio));
  fact("largest ulp", item.ulp === null ? "" : number(item.ulp));
  fact(related ? "difference" : "largest absolute error", item.abs === null ? "" : number(item.abs));
  const how = [item.asked.name, item.quantity.replaceAll("_", " "), item.way, item.dtype, item.where ? "at " + item.where : ""].filter(Boolean);
  return el("article", { class: "one" },
    el("p", { class: "id" }, el("code", {}, breakable(item.case)), el("small", {}, how.join(" · "))),
    facts, nearZero(item) ? el("p", { class: "muted" }, "The largest ulp is of an element near 0, where terms cancel: the bound allows it.") : "", numbersOf(item.inputs), item.note ? el("p", { class: "note" }, item.note) : "",
    whoElse(item), command(item));
}

// The size of an ulp says nothing where a sum of larger terms comes near 0.
function nearZero(item) {
  return item.ulp > 1000 && item.ratio !== null && item.ratio <= 1;
}

// The numbers around the bad element, which is marked.
function numbersOf(inputs) {
  if (!inputs || !inputs.length) return el("p", { class: "inputs muted" }, "inputs: not shown here, the id reproduces them");
  const [text, start, total, worstAt, target, row] = inputs;
  const shown = data.texts[text] ? data.texts[text].split(" ") : [];
  const made = el("p", { class: "inputs" }, el("span", { class: "muted" }, "input "), start > 0 ? "… " : "");
  shown.forEach((value, i) => made.append(start + i === worstAt ? el("mark", {}, value) : value, " "));
  if (start + shown.length < total) made.append("… ");
  const place = shown.length < total ? `${groups.format(start)} to ${groups.format(start + shown.length - 1)} of ` : "";
  made.append(el("small", {}, `(${place}${groups.format(total)} ${total === 1 ? "number" : "numbers"}${data.texts[row] ? ", " + data.texts[row] : ""})`));
  if (data.texts[target]) made.append(el("span", { class: "muted" }, " target "), data.texts[target]);
  return made;
}

function whoElse(item) {
  const made = el("dl", { class: "who-else" });
  const sorted = [...(item.who || [])].sort((a, b) => codes[2 * b[0]].rank - codes[2 * a[0]].rank);
  for (const [word, ...who] of sorted) {
    const names = who.map((id) => asked[id]).filter((other) => other !== item.asked).map((other) => other.name);
    if (!names.length) continue;
    const { look, symbol, word: text } = codes[2 * word];
    const mark = el("span", { class: "mark " + (look === "new" ? "differs" : look), "aria-hidden": "true" }, symbol);
    made.append(el("div", {}, el("dt", {}, mark, " " + text), el("dd", {}, breakable(names.join(", ")))));
  }
  return made.children.length ? el("details", {}, el("summary", {}, "Who else, on the same question"), made) : "";
}

function quoted(text) {
  return /^[\w./=,:~@-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function command(item) {
  const { word, look } = codes[item.code];
  const scripted = (look === "new" || look === "known" || look === "explained") && !/^(relation:|nondeterministic|mutates|spoils)/.test(word);
  const run = quoted(item.run.startsWith("-") ? "./" + item.run : item.run), impl = `--impl ${quoted(item.asked.name)}`;
  const mode = item.way.split(" on ")[0];
  const text = scripted
    ? `lossdiff repro ${run} ${quoted(item.case)} ${impl}${mode === "eager" ? "" : ` --mode ${quoted(mode)}`} --quantity ${item.quantity}`
    : `lossdiff show ${run} --case ${quoted(item.case)} ${impl}`;
  const copy = el("button", { type: "button", "aria-label": "Copy the command" }, "copy");
  copy.addEventListener("click", () => copyText(text, copy));
  return el("p", { class: "command" }, el("code", {}, text), copy);
}

// A page from a disk may have no clipboard; then the text is selected, to be copied by hand.
function copyText(text, button) {
  const done = () => { button.textContent = "copied"; setTimeout(() => { button.textContent = "copy"; }, 1500); };
  const select = () => getSelection().selectAllChildren(button.previousSibling);
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select);
  else select();
}

addEventListener("keydown", (event) => { if (event.key === "Escape") closePanel(); });
