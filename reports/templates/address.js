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
function remember(place = addressed().place) {
  const given = new URLSearchParams();
  for (const name of FIELDS) if (filters[name]) given.set(name, filters[name]);
  if (filters.cell) CELL.forEach((name, i) => filters.cell.key[i] && given.set(name, filters.cell.key[i]));
  const query = String(given);
  const hash = place || query ? "#" + encodeURIComponent(place || "matrix") + (query ? "?" + query : "") : "";
  if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
}

// Show a place, and open what it is in.
function land(place) {
  const found = place && byId(place);
  if (!found) return;
  for (let part = found; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  found.scrollIntoView({ behavior: "instant" });
}
