// The filters reach every section: what says of itself data-framework, -operation, -dtype, -way, -kind
// or -look is hidden where they do not fit. Several values of one stand with | between them.
const SIFTED = ["framework", "operation", "dtype", "way", "kind", "look"];
const sifted = [...document.querySelectorAll("main " + SIFTED.map((name) => `[data-${name}]`).join(", main "))]
  .map((part) => ({ part, values: SIFTED.map((name) => part.dataset[name] && part.dataset[name].split("|")) }));
const holders = new Map();

for (const { part } of sifted) {
  for (let up = part.parentElement; up && up.tagName !== "MAIN"; up = up.parentElement) {
    if (!["SECTION", "DETAILS", "TBODY"].includes(up.tagName)) continue;
    if (!holders.has(up)) holders.set(up, []);
    holders.get(up).push(part);
  }
}
const emptied = new Map([...holders.keys()].filter((up) => up.tagName === "SECTION").map((section) => {
  const line = el("p", { class: "empty", hidden: "" }, "Nothing here passes the filters.");
  section.querySelector("h2").after(line);
  return [section, line];
}));

function fits({ part, values }) {
  return SIFTED.every((name, i) => !filters[name] || !values[i] || values[i].some((value) => alike(name, value)))
    && (!filters.text || part.matches("td, th") || says(part.textContent));
}

function alike(name, value) {
  return value === filters[name] || (name === "look" && filters.look === "finding" && (value === "new" || value === "known"));
}

function sift() {
  for (const item of sifted) item.part.hidden = !fits(item);
  for (const [up, parts] of holders) {
    const none = parts.every((part) => part.closest("[hidden]"));
    if (emptied.has(up)) emptied.get(up).hidden = !none;
    else up.classList.toggle("emptied", none);
  }
}
