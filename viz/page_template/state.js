// What is shown, and what every part of the program asks for.

const view = element("view");
const on = Object.fromEntries(model.layers.map((entry) => [entry.key, entry.on]));
const line = Object.fromEntries(model.layers.map((entry) => [entry.key, entry]));
const cut = { ...model.cut };
const wish = { ...model.start, chosen: null }; // chosen: { id } of a cell or { site } of a voxel
let camera = model.camera.camera;
let zoom = 1; // 1 fills the picture
let picked = {}; // by the name of a trace: rows of the cell table and vertices a cell
let now = null; // the frame that is shown, and its arrays
let drawing = 0;

const others = (axis) => [0, 1, 2].filter((other) => other !== axis);
const whole = () => cut.low === 0 && cut.high === shape[cut.axis];
const inside = (place) => place >= cut.low && place < cut.high;
const farHigh = () => camera.eye[NAMES[cut.axis]] < 0;
const at = (site) => [Math.floor(site / (shape[1] * shape[2])), Math.floor(site / shape[2]) % shape[1], site % shape[2]];
const number = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(3));
const quantity = (value, unit) => `${Number(value.toPrecision(4))}${unit ? " " + unit : ""}`;
const fieldNow = () => model.fields.find((entry) => entry.name === wish.field);
const levelOf = (field) => field.limits[0] + wish.level * (field.limits[1] - field.limits[0]);

// A frame with all of its arrays that the present wish needs.
async function load(index) {
  const entry = await source.entry(index);
  const some = async (keys) =>
    Object.fromEntries(await Promise.all(Object.entries(keys).map(async ([name, key]) => [name, await source.arrays(entry, key)])));
  const there = fieldNow() && entry.fields[wish.field] !== undefined;
  const [tissue, cells, slots, surfaces, volume, planes] = await Promise.all([
    source.arrays(entry, entry.tissue), source.arrays(entry, entry.cells), source.arrays(entry, entry.slots), some(Object.fromEntries(Object.entries(entry.surfaces).filter(([key]) => on[key] !== false))),
    there && wish.fieldAs === "isosurface" ? source.volume(entry, wish.field) : null,
    Promise.all((there ? planesWanted() : []).map(async (plane) =>
      ({ ...plane, values: await source.plane(entry, wish.field, plane.axis, plane.layer) }))),
  ]);
  return { entry, tissue: tissue.tissue, cells, slots, surfaces, volume, planes };
}

function tissueAt(place) {
  const { stride, shape: size } = model.tissue;
  const [z, y, x] = place.map((edge) => Math.floor(edge / stride));
  return now.tissue[(z * size[1] + y) * size[2] + x];
}
