// The filters reach every section: what says of itself data-framework, -operation, -dtype, -way, -kind
// or -look is hidden where they do not fit. Several values of one stand with | between them.
const SIFTED = ["framework", "operation", "dtype", "way", "kind", "look"];
const sifted = [...document.querySelectorAll("main " + SIFTED.map((name) => `[data-${name}]`).join(", main "))]
  .map((part) => ({ part, values: SIFTED.map((name) => part.dataset[name] && part.dataset[name].split("|")) }));
const holders = new Map();

for (const { part } of sifted) {
  for (let up = part.parentElement; up && up.tagName !== "MAIN"; up = up.parentElement) {
    if (!up.matches("section, details, tbody, .scroll")) continue;
    if (!holders.has(up)) holders.set(up, []);
    holders.get(up).push(part);
  }
}
const emptied = new Map([...holders.keys()].filter((up) => up.tagName === "SECTION").map((section) => {
  const line = el("p", { class: "empty", hidden: "" }, "Nothing here passes the filters.");
  section.querySelector("h2").after(line);
  return [section, line];
}));

// A heading that counts what is below it counts what the filters leave.
const tallies = [...document.querySelectorAll("main [data-tally]")].map((count) => [count.closest("details, section"), count]);

function fits({ part, values }) {
  return SIFTED.every((name, i) => !filters[name] || !values[i] || values[i].some((value) => alike(name, value)))
    && (!filters.text || part.matches("td, th") || says(part.matches(".cause") ? about(part) : part.textContent));
}

// What a card is about: its table names every library, also those that are right.
function about(card) {
  return [...card.children].filter((part) => !part.matches(".scroll")).map((part) => part.textContent).join(" ");
}

function alike(name, value) {
  return value === filters[name] || (name === "framework" && isOf(value, filters.framework)) || (name === "look" && filters.look === "finding" && (value === "new" || value === "known"));
}

function sift() {
  for (const item of sifted) item.part.hidden = !fits(item);
  for (const [up, parts] of holders) {
    const none = parts.every((part) => part.closest("[hidden]"));
    if (emptied.has(up)) {
      emptied.get(up).hidden = !none;
      up.classList.toggle("none", none);
    } else up.classList.toggle("emptied", none);
  }
  const active = FIELDS.some((name) => filters[name]);
  for (const [fold, count] of tallies) {
    const parts = [...fold.querySelectorAll("[data-counted]")], left = parts.filter((part) => !part.hidden).length;
    count.textContent = left < parts.length ? `${left} of ${parts.length}` : count.dataset.tally;
  }
  // What passes the filters is not left in a closed fold.
  for (const rest of document.querySelectorAll("details.rest")) rest.open = active;
}
