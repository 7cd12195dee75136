// The lines of the legend: numbers in the frame and drawn, and a box for each layer.

const cellsOf = {};

// Lines that a frame brings; says whether there are new ones.
function adopt(lines) {
  const fresh = lines.filter((entry) => !line[entry.key]);
  if (!fresh.length) return false;
  model.layers = lines;
  for (const entry of fresh) { line[entry.key] = entry; on[entry.key] = entry.on; }
  return true;
}

function makeLegend() {
  const body = element("legend").tBodies[0];
  body.replaceChildren();
  let heading = null;
  for (const entry of model.layers) {
    if (entry.heading !== heading) {
      heading = entry.heading;
      const cell = document.createElement("th");
      cell.className = "heading"; cell.colSpan = 4; cell.textContent = heading;
      body.insertRow().append(cell);
    }
    const row = body.insertRow(), label = document.createElement("label"), box = document.createElement("input");
    const swatch = document.createElement("span");
    row.dataset.layer = entry.key;
    box.type = "checkbox"; box.checked = on[entry.key]; box.defaultChecked = entry.on;
    box.addEventListener("change", () => { on[entry.key] = box.checked; draw(); });
    swatch.className = `swatch ${entry.what}`;
    if (entry.what !== "niches") swatch.style.background = entry.colour;
    label.append(box, swatch, entry.label);
    const name = row.insertCell();
    name.colSpan = 2; name.append(label);
    cellsOf[entry.key] = [row, row.insertCell(), row.insertCell()];
    cellsOf[entry.key][1].className = "number";
    cellsOf[entry.key][2].className = "number drawn";
    if (entry.key === "niches") {
      const vacant = body.insertRow();
      vacant.dataset.layer = "vacant";
      vacant.insertCell().colSpan = 2;
      vacant.cells[0].textContent = "        of these vacant";
      vacant.cells[0].style.whiteSpace = "pre";
      cellsOf.vacant = [vacant, vacant.insertCell(), vacant.insertCell()];
      cellsOf.vacant[1].className = "number";
    }
  }
}

function writeLegend(frame) {
  for (const entry of model.layers) {
    const [row, count, drawn] = cellsOf[entry.key], own = picked[entry.key];
    row.className = on[entry.key] ? "" : "off";
    if (!entry.counted) continue;
    count.textContent = number(frame.counts[entry.key] || 0);
    if (entry.what !== "surface") drawn.textContent = own ? number(own.rows ? own.rows.length : own.drawn) : "0";
  }
  if (cellsOf.vacant) cellsOf.vacant[1].textContent = number(frame.counts.vacant);
}
