// The findings behind the cells, by their text: what the search in the matrix looks at.
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
