// Start: fill the filters, draw, and say that all went well.
const form = byId("filters");

function fill(name, values) {
  const select = form.elements[name];
  for (const [value, label] of values) select.append(el("option", { value }, label));
}

const listed = (name) => [...data.asked.keys()].map((id) => asked[id][name]);
const among = (name) => sifted.flatMap(({ values }) => values[SIFTED.indexOf(name)] || []);
const plain = (values) => [...new Set(values)].filter(Boolean).map((value) => [value, value]);
for (const name of ["operation", "kind"]) fill(name, plain([...listed(name), ...among(name)].sort()));
const ofThis = data.libraries.map(([library]) => library), theirs = [...new Set(listed("framework"))].filter((name) => !ofThis.includes(name));
fill("framework", plain(ofThis));
const whole = el("optgroup", { label: "with all that is built on it" });
for (const name of theirs.sort()) whole.append(el("option", { value: name }, name));
if (theirs.length) form.elements.framework.append(whole);
fill("dtype", plain([...data.dtypes, ...among("dtype")]));
fill("way", plain([...data.ways, ...among("way")].sort()));
fill("look", [["agree", "agree"], ["explained", "explained"], ["finding", "all findings"], ["new", "new findings"],
  ["known", "known findings"], ["neutral", "unsupported"]]);

function refresh() {
  for (const name of FIELDS) filters[name] = form.elements[name].value.trim();
  const active = FIELDS.filter((name) => filters[name]).length;
  byId("active").textContent = active ? `${active} active` : "";
  byId("sieve").classList.toggle("active", active > 0);
  drawMatrix();
  sift();
}

let waiting = 0;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    closePanel();
    refresh();
    remember();
  }, 120);
});
form.addEventListener("reset", () => {
  setTimeout(() => {
    closePanel();
    refresh();
    remember();
  });
});
form.addEventListener("submit", (event) => event.preventDefault());

// What the address says is shown: its filters, its cell, and then its place.
function obey() {
  const { place, given } = addressed();
  byId("astray").textContent = "";
  byId("astray").hidden = true;
  for (const name of FIELDS) {
    const field = form.elements[name], value = given.get(name) || "";
    const known = field.tagName === "SELECT" ? valueOf(field, value) : value;
    field.value = known || "";
    if (known === null) astray(`No ${field.labels[0].firstChild.textContent.toLowerCase()} here is named ${value}.`);
  }
  refresh();
  const key = CELL.map((name) => given.get(name) || "");
  if (key[2] && key[3]) reopen(key);
  else {
    closePanel();
    land(place);
  }
}

addEventListener("popstate", (event) => { if (event.state) obey(); });
addEventListener("hashchange", () => {
  if (history.state) return;
  history.replaceState({ own: true }, "");
  const { place, given } = addressed();
  byId("astray").textContent = "";
  byId("astray").hidden = true;
  if ([...given.keys()].length) return obey();
  land(place);
  remember(place);
});

// A card that is opened by hand is in the address, from where it can be sent to others.
byId("main").addEventListener("click", (event) => {
  const fold = event.target.closest("summary") && event.target.closest("summary").parentElement;
  if (fold && fold.id && !fold.open) remember(fold.id, true);
});

function follow() {
  const links = [...document.querySelectorAll(".toc a")];
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) isIntersecting ? seen.add(target.id) : seen.delete(target.id);
    const first = links.find((link) => seen.has(link.hash.slice(1)));
    for (const link of links) {
      if (link !== first) link.removeAttribute("aria-current");
      else link.setAttribute("aria-current", "location");
    }
    const list = first && first.closest("ol");
    if (list && list.scrollWidth > list.clientWidth) list.scrollTo({ left: first.offsetLeft - list.clientWidth / 3 });
  }, { rootMargin: "-10% 0px -60% 0px" });
  for (const section of document.querySelectorAll("main > section")) watch.observe(section);
}

for (const line of document.querySelectorAll("main p.copy")) {
  const copy = el("button", { type: "button", "aria-label": "Copy the command" }, "copy");
  copy.addEventListener("click", () => copyText(line.firstElementChild.textContent, copy));
  line.append(copy);
}

// On a narrow page the filters lie over it, and are opened when they are wanted.
const roomy = matchMedia("(min-width: 75rem)");
const arrange = () => { byId("sieve").open = roomy.matches; };
roomy.addEventListener("change", arrange);
arrange();
obey();
history.replaceState({ own: true }, "");
follow();
drawDomain();
root.dataset.fits = String(root.scrollWidth <= innerWidth);
root.dataset.ready = "true";
