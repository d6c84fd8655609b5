// The matrix: one row for each implementation, one column for each family of inputs.
const grid = byId("grid"), tip = byId("tip");
const foldedRows = new Set(), foldedColumns = new Set();
let walk = [], at = [0, 0];

function rowGroups() {
  const found = new Map();
  for (const who of asked) {
    const key = who.framework + (who.textbook ? " textbook formulas" : "");
    if (!found.has(key)) found.set(key, { key, textbook: who.textbook, members: [] });
    found.get(key).members.push(who);
  }
  return [...found.values()];
}

function columnGroups() {
  const found = new Map();
  for (const column of columns) {
    if (!found.has(column.group)) found.set(column.group, []);
    found.get(column.group).push(column);
  }
  return [...found].map(([name, members]) => ({ name, members }));
}

const ROWS = rowGroups(), COLUMNS = columnGroups();
for (const group of ROWS) if (group.textbook && ROWS.some((other) => !other.textbook)) foldedRows.add(group.key);

function sums() {
  const found = new Map();
  for (const [cell, code, count] of counted()) {
    if (!says(cell.asked.name, cell.asked.operation, cell.asked.framework, cell.column.name, codes[code].word) && !foundIn(cell, code)) continue;
    const key = cell.asked.id * columns.length + cell.column.id;
    if (!found.has(key)) found.set(key, { wide: nothing(), narrow: nothing() });
    const sum = found.get(key)[narrow(cell) ? "narrow" : "wide"];
    sum.counts.set(code, (sum.counts.get(code) || 0) + count);
    if (cell.ratio !== null && !(sum.ratio > cell.ratio)) sum.ratio = cell.ratio;
  }
  return found;
}

function nothing() {
  return { counts: new Map(), ratio: null };
}

// What all dtypes of 16 bits say is kept apart: it is no trouble of float32.
function merged(all, who, what) {
  const both = { wide: nothing(), narrow: nothing() };
  for (const a of who) for (const c of what) {
    const one = all.get(a.id * columns.length + c.id);
    if (!one) continue;
    for (const width of ["wide", "narrow"]) {
      const sum = both[width];
      for (const [code, count] of one[width].counts) sum.counts.set(code, (sum.counts.get(code) || 0) + count);
      if (one[width].ratio !== null && !(sum.ratio > one[width].ratio)) sum.ratio = one[width].ratio;
    }
  }
  return both;
}

// The shares of what was judged, each at least so large that it is seen.
const LEAST = 12;
function shares(sum) {
  const found = { explained: 0, known: 0, new: 0 };
  let judged = 0;
  for (const [code, count] of sum.counts) {
    const { look } = codes[code];
    if (look === "neutral") continue;
    judged += count;
    if (look in found) found[look] += count;
  }
  for (const look of Object.keys(found)) found[look] = found[look] && Math.max(LEAST, Math.round((100 * found[look]) / judged));
  return found;
}

function worst(sum) {
  return [...sum.counts.keys()].reduce((a, b) => (a === null || codes[b].rank > codes[a].rank ? b : a), null);
}

function drawMatrix() {
  const all = sums();
  const seen = (who) => columns.some((column) => all.has(who.id * columns.length + column.id));
  const heads = COLUMNS.flatMap((group) => {
    const used = group.members.filter((c) => asked.some((a) => all.has(a.id * columns.length + c.id)));
    if (!used.length) return [];
    if (foldedColumns.has(group.name)) return [{ group, label: group.name, members: used, folded: true }];
    return used.map((column) => ({ group, label: column.name, why: column.why, members: [column] }));
  });
  walk = [];
  const table = el("table", { role: "grid", "aria-label": "Worst verdict by implementation and family" });
  table.append(drawHead(heads));
  for (const group of ROWS) {
    const members = group.members.filter(seen);
    if (members.length) table.append(drawGroup(group, members, heads, all));
  }
  // To ask an empty grid how far it is scrolled would lay out the whole page once more.
  const { scrollLeft, scrollTop } = grid.firstElementChild ? grid : { scrollLeft: 0, scrollTop: 0 };
  grid.replaceChildren(walk.length ? table : el("p", { class: "empty" }, "Nothing passes these filters."));
  if (scrollLeft || scrollTop) grid.scrollTo(scrollLeft, scrollTop);
  at = [Math.min(at[0], Math.max(walk.length - 1, 0)), Math.min(at[1], Math.max(heads.length - 1, 0))];
  if (walk.length) walk[at[0]][at[1]].tabIndex = 0;
  byId("shown").textContent = amounts(all);
}

// The answers as the summary counts them: those of textbook formulas, and what is not claimed, apart.
function amounts(all) {
  const sum = (who, wanted) => {
    const { wide, narrow } = merged(all, who, columns);
    return [...wide.counts, ...narrow.counts].reduce((n, [code, count]) => n + (wanted(codes[code].look) ? count : 0), 0);
  };
  const judged = (look) => look !== "neutral";
  const books = asked.filter((who) => who.textbook), others = asked.filter((who) => !who.textbook);
  const parts = [[sum(others, judged), "answers judged"], [sum(books, judged), "of textbook formulas"], [sum(asked, (look) => !judged(look)), "not claimed"]];
  return parts.filter(([n], i) => n || !i).map(([n, what]) => `${groups.format(n)} ${what}`).join(", ");
}

function drawHead(heads) {
  const top = el("tr", {}, el("th", { class: "corner", rowspan: 2, scope: "col" }, "Implementation"));
  const low = el("tr");
  for (const group of COLUMNS) {
    const mine = heads.filter((head) => head.group === group);
    if (!mine.length) continue;
    const folded = foldedColumns.has(group.name);
    const button = el("button", { type: "button", "aria-expanded": String(!folded), title: `${group.name}: ${folded ? "unfold" : "fold"}`, "aria-label": group.name, "data-key": group.name },
      mine.length > 1 ? group.name : "");
    button.addEventListener("click", () => toggle(foldedColumns, group.name));
    top.append(el("th", { colspan: mine.length, scope: "colgroup", class: "band" }, button));
  }
  heads.forEach((head, i) => {
    const first = i === 0 || heads[i - 1].group !== head.group;
    low.append(el("th", { scope: "col", class: "family" + (first ? " first" : ""), title: head.why }, el("span", {}, head.label)));
  });
  return el("thead", {}, top, low);
}

function drawGroup(group, members, heads, all) {
  const body = el("tbody");
  const folded = foldedRows.has(group.key);
  const button = el("button", { type: "button", "aria-expanded": String(!folded), "data-key": group.key }, group.key,
    el("small", {}, " " + members.length));
  button.addEventListener("click", () => toggle(foldedRows, group.key));
  body.append(drawRow(el("th", { scope: "row", class: "who" }, button), "sum", group.key, ["", "", group.key], members, heads, all));
  if (folded) return body;
  let operation = null;
  for (const who of members) {
    if (who.operation !== operation) {
      operation = who.operation;
      body.append(el("tr", { class: "operation" }, el("th", { scope: "rowgroup" }, operation), el("td", { colspan: heads.length })));
    }
    const name = el("th", { scope: "row", class: "who", title: who.name }, el("code", {}, breakable(who.name)));
    if (who.kind !== "native" && !who.textbook) name.append(el("span", { class: "kind" }, who.kind));
    body.append(drawRow(name, "", who.name, [who.name, who.operation, group.key], [who], heads, all));
  }
  return body;
}

function drawRow(name, style, label, key, members, heads, all) {
  const row = el("tr", { class: style }, name), line = [];
  heads.forEach((head, i) => {
    const sums = merged(all, members, head.members);
    const wide = worst(sums.wide), slim = worst(sums.narrow), code = wide === null ? slim : wide;
    const first = i === 0 || heads[i - 1].group !== head.group;
    const cell = el("td", { tabindex: -1, role: "gridcell" });
    cell.className = (code === null ? "blank" : codes[code].look) + (first ? " first" : "");
    cell.textContent = code === null ? "" : codes[code].symbol;
    if (code !== null) paint(cell, sums, wide === null ? sums.narrow : sums.wide, wide !== null && slim !== null);
    const said = [wide === null ? "" : verdictText(wide), slim === null ? "" : `in 16 bits ${verdictText(slim)}`].filter(Boolean);
    cell.setAttribute("aria-label", `${label}, ${head.label}: ${said.join("; ") || "not asked"}`);
    cell.about = { label, head, sums, code, members, key: [...key, head.label], place: [walk.length, i] };
    line.push(cell);
    row.append(cell);
  });
  walk.push(line);
  return row;
}

// The height of a colour is a share; a line at the bottom is for 16 bits where they differ.
function paint(cell, sums, main, both) {
  const { explained, known, new: fresh } = shares(main);
  const style = cell.style;
  if (explained) style.setProperty("--e", Math.min(100, fresh + known + explained) + "%");
  if (known) style.setProperty("--k", Math.min(100, fresh + known) + "%");
  if (fresh) style.setProperty("--n", Math.min(100, fresh) + "%");
  const slim = both ? worst(sums.narrow) : null;
  if (slim !== null && codes[slim].rank > codes[worst(main)].rank && !["agree", "neutral"].includes(codes[slim].look)) {
    cell.classList.add("slim");
    style.setProperty("--slim", `var(--${codes[slim].look})`);
  }
}

function toggle(set, key) {
  if (!set.delete(key)) set.add(key);
  drawMatrix();
  const again = [...grid.querySelectorAll("button")].find((button) => button.dataset.key === key);
  if (again) again.focus();
}

function showTip(cell) {
  const { label, head, sums, code } = cell.about;
  if (code === null) return hideTip();
  tip.replaceChildren(el("b", {}, breakable(label)), el("p", {}, head.label, head.why ? el("small", {}, " " + head.why) : ""));
  tip.append(tallyOf(sums.wide, sums.narrow));
  const ratios = [sums.wide.ratio, sums.narrow.ratio].filter((ratio) => ratio !== null);
  if (ratios.length) tip.append(el("p", {}, "largest error over the bound ", el("b", {}, number(Math.max(...ratios)))));
  tip.hidden = false;
  const box = cell.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const below = box.bottom + own.height + 8 < innerHeight;
  tip.style.left = Math.max(8, Math.min(box.left, innerWidth - own.width - 8)) + "px";
  tip.style.top = (below ? box.bottom + 6 : Math.max(8, box.top - own.height - 6)) + "px";
}

function hideTip() {
  tip.hidden = true;
}

function choose(cell) {
  const { label, head, members, code, key, place } = cell.about;
  if (code === null) return;
  walk[at[0]][at[1]].tabIndex = -1;
  cell.tabIndex = 0;
  at = place;
  filters.cell = {
    key, label: `${label} × ${head.label}`,
    asked: new Set(members.map((who) => who.id)),
    columns: new Set(head.members.map((column) => column.id)),
  };
  hideTip();
  openPanel(cell.about);
  remember("matrix", true);
  panel.querySelector("h3").focus({ preventScroll: true });
}

// Open the cell that the address names: its row is unfolded for it.
function reopen(key) {
  const [of, , within] = key;
  if (of && foldedRows.delete(within)) drawMatrix();
  const cell = walk.flat().find((one) => one.about.key.every((part, i) => part === key[i]));
  if (!cell) return;
  cell.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  choose(cell);
}

function step(event) {
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const cell = event.target.closest("td[role=gridcell]");
  if (!cell) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return choose(cell);
  }
  if (event.key === "Escape") return hideTip();
  const move = moves[event.key];
  if (!move) return;
  event.preventDefault();
  const [r, c] = cell.about.place;
  const next = walk[r + move[0]] && walk[r + move[0]][c + move[1]];
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  at = next.about.place;
  next.focus();
}

function overCell(event, act) {
  const cell = event.target.closest && event.target.closest("td[role=gridcell]");
  if (cell) act(cell);
  else hideTip();
}

grid.addEventListener("mouseover", (event) => overCell(event, showTip));
grid.addEventListener("mouseleave", hideTip);
grid.addEventListener("focusin", (event) => overCell(event, showTip));
grid.addEventListener("focusout", hideTip);
grid.addEventListener("scroll", hideTip);
grid.addEventListener("click", (event) => overCell(event, choose));
grid.addEventListener("keydown", step);
byId("fold").addEventListener("click", () => { ROWS.forEach((group) => foldedRows.add(group.key)); drawMatrix(); });
byId("unfold").addEventListener("click", () => { foldedRows.clear(); foldedColumns.clear(); drawMatrix(); });
