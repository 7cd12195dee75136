// Values under the pointer, and of what was chosen.

const placeText = (site) => [2, 1, 0].map((axis) => `${NAMES[axis]} ${(site[axis] + 0.5) * spacing}`).join(", ") + " µm";

// The voxel of a place (um); of a place on the surface of a tissue the nearest one that has the tissue.
function voxelAt(place, code) {
  const clamp = (value, axis) => Math.max(0, Math.min(shape[axis] - 1, Math.floor(value / spacing)));
  const own = place.map(clamp);
  if (code === undefined) return own;
  let best = own, least = Infinity;
  for (const dz of [-1, 0, 1]) for (const dy of [-1, 0, 1]) for (const dx of [-1, 0, 1]) {
    const site = [dz, dy, dx].map((step, axis) => clamp(place[axis] + step * spacing, axis));
    const away = Math.hypot(...site.map((edge, axis) => (edge + 0.5) * spacing - place[axis]));
    if (tissueAt(site) === code && away < least) [best, least] = [site, away];
  }
  return best;
}

// What stands under the pointer: its text, and what is chosen by a click.
function describe(point) {
  const key = point.data.meta, entry = line[key];
  const cell = entry && entry.what === "cells" ? picked[key] : null;
  if (cell) {
    const row = cell.rows[Math.floor(point.pointNumber / cell.points)], site = at(now.cells.site[row]), id = now.cells.id[row];
    const told = `${entry.label}\ncell ${id} (type ${entry.type}, ${entry.status}) · CXCR4 ${quantity(now.cells.cxcr4[row], "")}`;
    return { text: `${told}\n${placeText(site)}`, site, chosen: { id } };
  }
  if (!entry && key !== "field") return null;
  const site = voxelAt([point.z, point.y, point.x], model.tissue.codes[key]);
  return { text: `${model.tissue.names[tissueAt(site)]}\n${placeText(site)}`, site, chosen: { site } };
}

async function writeChosen() {
  const box = element("chosen"), { chosen } = wish, site = chosenSite(), { entry } = now;
  if (!chosen) return;
  if (!site) { box.textContent = `Cell ${chosen.id} is not in the tissue at this time.`; return; }
  let text = `Voxel: ${model.tissue.names[tissueAt(site)]}; ${placeText(site)}`;
  if (!chosen.site) {
    const row = now.cells.id.indexOf(chosen.id);
    let start = 0;
    const group = entry.groups.find((one) => row < (start += one.stored));
    text = `Cell ${chosen.id}: ${line[group.key].label}; CXCR4 ${quantity(now.cells.cxcr4[row], "")}; ${placeText(site)}`;
  }
  box.textContent = text;
  const values = await source.values(entry, site);
  if (wish.chosen === chosen && now.entry === entry) box.textContent = `${text}; ${values.join(" · ")}`;
}

function listen() {
  const tip = element("tip");
  let pointer = [0, 0], pointed = null;
  view.addEventListener("mousemove", (event) => {
    const frame = view.getBoundingClientRect();
    pointer = [event.clientX - frame.left, event.clientY - frame.top];
  });
  view.addEventListener("mouseleave", () => { tip.hidden = true; });
  const write = (text) => {
    tip.textContent = text;
    tip.style.left = `${Math.min(pointer[0] + 16, view.clientWidth - 240)}px`;
    tip.style.top = `${Math.min(pointer[1] + 12, view.clientHeight - 90)}px`;
  };
  view.on("plotly_hover", async (event) => {
    const own = (pointed = describe(event.points[0]));
    tip.hidden = !own;
    if (!own) return;
    write(own.text);
    const values = await source.values(now.entry, own.site);
    if (pointed === own) write(`${own.text}\n${values.join(" · ")}`);
  });
  view.on("plotly_unhover", () => { tip.hidden = true; });
  // Plotly misses a click that is shorter than a picture takes to draw.
  let pressed = null;
  view.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY]; }, true);
  view.addEventListener("pointerup", (event) => {
    const still = pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 4;
    if (still && !tip.hidden && pointed) { wish.chosen = pointed.chosen; draw(); }
  }, true);
  view.on("plotly_relayout", (change) => {
    const ratio = change["scene.aspectratio"], before = [farHigh(), along()].join();
    if (ratio) zoom = ratio.x / (view.layout.scene.aspectratio.x / zoom);
    camera = change["scene.camera"] || camera;
    if (before !== [farHigh(), along()].join()) draw();
  });
}
