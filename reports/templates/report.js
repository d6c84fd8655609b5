// Start: fill the filters, draw, and say that all went well.
const form = byId("filters");

function fill(name, values) {
  const select = form.elements[name];
  for (const [value, label] of values) select.append(el("option", { value }, label));
}

const plain = (values) => [...new Set(values)].map((value) => [value, value]);
const asking = [...asked, ...searches];
fill("framework", plain(asking.map((who) => who.framework).sort()));
fill("operation", plain(asking.map((who) => who.operation).sort()));
fill("dtype", plain([...data.dtypes, ...searches.flatMap((search) => search.dtypes)]));
fill("way", plain([...data.ways, ...searches.flatMap((search) => search.ways)].sort()));
fill("kind", plain(asking.map((who) => who.kind).sort()));
fill("look", [["agree", "agree"], ["explained", "explained"], ["finding", "all findings"], ["new", "new findings"],
  ["known", "known findings"], ["neutral", "unsupported"]]);

function refresh() {
  for (const field of form.elements) if (field.name) filters[field.name] = field.value.trim();
  drawMatrix();
  drawFindings();
  filterDomain();
}

let waiting = 0;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 120);
});
form.addEventListener("reset", () => {
  filters.cell = null;
  setTimeout(refresh);
});
form.addEventListener("submit", (event) => event.preventDefault());

function follow() {
  const links = [...document.querySelectorAll(".toc a")];
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) isIntersecting ? seen.add(target.id) : seen.delete(target.id);
    const first = links.find((link) => seen.has(link.hash.slice(1)));
    for (const link of links) link.toggleAttribute("aria-current", link === first);
  }, { rootMargin: "-10% 0px -60% 0px" });
  for (const section of document.querySelectorAll("main > section")) watch.observe(section);
}

refresh();
follow();
drawDomain();
root.dataset.fits = String(root.scrollWidth <= innerWidth);
root.dataset.ready = "true";
