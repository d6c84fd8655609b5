// The address: #SECTION?framework=…&of=…&on=… holds the filters and the open cell.
const CELL = ["of", "for", "in", "on"];

function addressed() {
  const [place, query = ""] = location.hash.slice(1).split("?");
  return { place: decoded(place), given: new URLSearchParams(query) };
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

// Write the filters into the address; the place stays what it is.
function remember(place = addressed().place, step = false) {
  const given = new URLSearchParams();
  for (const name of FIELDS) if (filters[name]) given.set(name, filters[name]);
  if (filters.cell) CELL.forEach((name, i) => filters.cell.key[i] && given.set(name, filters.cell.key[i]));
  const query = String(given);
  const hash = place || query ? "#" + encodeURIComponent(place || "matrix") + (query ? "?" + query : "") : "";
  if (hash === location.hash) return;
  // What is opened is a step of its own, which the browser goes back by.
  history[step ? "pushState" : "replaceState"]({ own: true }, "", hash || location.pathname + location.search);
}

// Show a place, and open what it is in.
function land(place) {
  const found = place && byId(place);
  if (place && !found) astray(`This page has no place named ${place}.`);
  if (!found) return;
  for (let part = found; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  found.scrollIntoView({ behavior: "instant" });
}

// What of an address this page does not have is said, and where nothing is wrong, nothing.
function astray(text) {
  const line = byId("astray");
  line.textContent = [line.textContent, text].filter(Boolean).join(" ");
  line.hidden = !line.textContent;
}

// The value of a list that an address names, however it is written; none if the list has no such value.
function valueOf(field, given) {
  const options = [...field.options], like = (option) => option.value.toLowerCase() === given.toLowerCase();
  const found = options.find((option) => option.value === given) || options.find(like);
  return found ? found.value : null;
}
