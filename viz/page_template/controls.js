// Field, part that is drawn, view, and the way through time.

function writeControls() {
  const field = fieldNow();
  element("colours").hidden = !field;
  element("level-row").hidden = wish.fieldAs !== "isosurface" || !field;
  if (field) {
    const unit = field.unit ? ` (${field.unit})` : "", [low, high] = field.limits;
    const where = { wall: ", on the far wall", plane: ", in the middle", slices: ", on the slices", isosurface: `, surface of ${quantity(levelOf(field), field.unit)}` }[wish.fieldAs];
    element("colours-name").textContent = field.label + unit + where;
    element("colours-bar").style.background = `linear-gradient(to right, ${field.colours.join(",")})`;
    const ends = [`≤ ${Number(low.toPrecision(3))}`, `${Number(((low + high) / 2).toPrecision(3))}`, `≥ ${Number(high.toPrecision(3))}`];
    element("colours-ends").replaceChildren(...ends.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
    element("level-text").textContent = quantity(levelOf(field), field.unit);
  }
  const edge = shape[cut.axis];
  element("axis").value = cut.axis;
  element("from").max = edge - 1; element("from").value = cut.low;
  element("thick").max = edge; element("thick").value = cut.high - cut.low;
  element("from-text").textContent = `${number(cut.low * spacing)} µm`;
  element("thick-text").textContent = whole() ? "all" : `${number((cut.high - cut.low) * spacing)} µm`;
}

function setCut(axis, low, thick) {
  const edge = shape[axis], width = Math.max(1, Math.min(thick, edge));
  cut.axis = axis;
  cut.low = Math.max(0, Math.min(low, edge - width));
  cut.high = cut.low + width;
  draw();
}

// Turn the slab towards the eye; the usual one where that lies across the same axis.
function slabAcross(axis) {
  const thick = cut.high - cut.low, first = model.slab;
  if (whole()) setCut(axis, 0, shape[axis]);
  else if (axis === cut.axis) draw();
  else if (axis === first.axis) setCut(axis, first.low, first.high - first.low);
  else setCut(axis, Math.floor((shape[axis] - thick) / 2), thick);
}

function makeControls() {
  const choices = [["", "none"], ...model.fields.map((field) => [field.name, field.label + (field.unit ? ` (${field.unit})` : "")])];
  element("field").append(...choices.map(([value, text]) => new Option(text, value, value === wish.field, value === wish.field)));
  element("field").addEventListener("change", (event) => { wish.field = event.target.value; draw(); });
  element("field-as").value = wish.fieldAs;
  element("field-as").addEventListener("change", (event) => { wish.fieldAs = event.target.value; draw(); });
  element("level").value = 100 * wish.level;
  element("level").addEventListener("change", (event) => { wish.level = event.target.value / 100; draw(); });
  element("axis").addEventListener("change", (event) => {
    const axis = Number(event.target.value), thick = Math.min(cut.high - cut.low, shape[axis]);
    setCut(axis, whole() ? 0 : Math.floor((shape[axis] - thick) / 2), whole() ? shape[axis] : thick);
  });
  element("from").addEventListener("change", (event) => setCut(cut.axis, Number(event.target.value), cut.high - cut.low));
  element("thick").addEventListener("change", (event) => setCut(cut.axis, cut.low, Number(event.target.value)));
  element("whole").addEventListener("click", () => setCut(cut.axis, 0, shape[cut.axis]));
  element("slab").addEventListener("click", () => setCut(model.slab.axis, model.slab.low, model.slab.high - model.slab.low));
  for (const [name, preset] of Object.entries(model.cameras)) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
    button.addEventListener("click", () => { camera = preset.camera; zoom = 1; slabAcross(preset.axis); });
    element("cameras").append(button, " ");
  }
  element("screenshot").addEventListener("click", screenshot);
  element("frame").max = model.frames.length - 1;
  element("frame").addEventListener("input", (event) => { stop(); show(Number(event.target.value)); });
  element("play").addEventListener("click", () => (playing ? stop() : play()));
}

function show(frame) {
  wish.frame = frame;
  return draw();
}

let playing = null; // the present way through time, if there is one
function stop() {
  playing = null;
  element("play").textContent = "▶";
}
async function play() {
  const own = (playing = {});
  element("play").textContent = "❚❚";
  let next = wish.frame + 1 < model.frames.length ? wish.frame + 1 : 0;
  while (playing === own && next < model.frames.length) {
    const pause = new Promise((done) => setTimeout(done, 600));
    await show(next++);
    if (next < model.frames.length) load(next).catch(() => {}); // the next frame is there when its time has come
    await pause;
  }
  if (playing === own) stop();
}
