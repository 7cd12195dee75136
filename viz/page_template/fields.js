// A field as planes (far wall, middle, three slices) or as the surface of one value.

// Sampled indices along an axis, and where they are; a picture reaches to the ends of the lattice.
function samples({ stride, shape: size }, axis, low, high) {
  const indices = [];
  for (let index = 0; index < size[axis]; index++) if (index * stride >= low && index * stride < high) indices.push(index);
  return { indices, places: indices.map((index) => (Math.min(index * stride, shape[axis] - 1) + 0.5) * spacing) };
}

// Axis, layer of voxels, and place in voxels of the planes that the field is painted on.
function planesWanted() {
  const { axis } = cut, middle = (cut.low + cut.high) / 2;
  if (wish.fieldAs === "wall")
    return [farHigh() ? { axis, layer: cut.high - 1, position: cut.high - 0.05 } : { axis, layer: cut.low, position: cut.low + 0.05 }];
  if (wish.fieldAs === "plane") return [{ axis, layer: Math.floor(middle), position: middle }];
  if (wish.fieldAs !== "slices") return [];
  return wish.slices.map((layer, across) => ({ axis: across, layer, position: layer + 0.5 }))
    .filter((plane) => plane.axis !== cut.axis || inside(plane.layer));
}

function fieldTraces() {
  const field = fieldNow();
  if (!field) return [];
  const [low, high] = field.limits;
  const colorscale = field.colours.map((colour, index) => [index / (field.colours.length - 1), colour]);
  const common = { name: field.label, meta: "field", showscale: false, colorscale, cmin: low, cmax: high };
  if (now.volume) return [isosurface(field, { ...common, uid: "field" }, now.volume)];
  return now.planes.map((plane, index) => planeTrace(plane, { ...common, uid: `field${index || ""}` }));
}

function planeTrace({ axis, position, values }, common) {
  const [rows, columns] = others(axis);
  const [up, across] = [rows, columns].map((other) =>
    samples(model.planes, other, other === cut.axis ? cut.low : 0, other === cut.axis ? cut.high : shape[other]));
  const grid = { [rows]: [], [columns]: [], [axis]: [] }, colours = [], width = model.planes.shape[columns];
  up.indices.forEach((row, index) => {
    grid[rows].push(across.places.map(() => up.places[index]));
    grid[columns].push(across.places);
    grid[axis].push(across.places.map(() => position * spacing));
    colours.push(across.indices.map((column) => values[row * width + column]));
  });
  return {
    ...common, type: "surface", x: grid[2], y: grid[1], z: grid[0], surfacecolor: colours, hoverinfo: "none",
    opacity: wish.fieldAs === "wall" ? 1 : 0.85, contours: { x: { highlight: false }, y: { highlight: false }, z: { highlight: false } },
    lighting: { ambient: 1, diffuse: 0, specular: 0, roughness: 1, fresnel: 0 },
  };
}

function isosurface(field, common, values) {
  const size = model.samples.shape;
  const ranges = [0, 1, 2].map((axis) =>
    samples(model.samples, axis, axis === cut.axis ? cut.low : 0, axis === cut.axis ? cut.high : shape[axis]));
  const total = ranges.reduce((product, range) => product * range.indices.length, 1);
  const every = Math.max(1, Math.ceil(Math.cbrt(total / model.mostSamples)));
  const kept = ranges.map(({ indices }) => indices.map((_, index) => index).filter((index) => index % every === 0));
  const [depth, height, width] = kept.map((indices) => indices.length), open = [];
  const x = [], y = [], z = [], value = [];
  for (const a of kept[0]) for (const b of kept[1]) for (const c of kept[2]) {
    const place = [ranges[0].indices[a], ranges[1].indices[b], ranges[2].indices[c]];
    x.push(ranges[2].places[c]); y.push(ranges[1].places[b]); z.push(ranges[0].places[a]);
    value.push(values[(place[0] * size[1] + place[1]) * size[2] + place[2]]);
    open.push(model.tissue.enterable.includes(tissueAt(place.map((index) => index * model.samples.stride))));
  }
  fillIn(value, open, [depth, height, width]);
  const level = levelOf(field), none = { show: false };
  return {
    ...common, type: "isosurface", x, y, z, value, isomin: level, isomax: level, surface: { count: 1 }, opacity: 0.55,
    caps: { x: none, y: none, z: none }, hoverinfo: "skip", lighting: LIGHT,
  };
}

// What a field is in bone or in vessels says nothing about the marrow: it takes the mean of the neighbours there, so
// that no surface goes round them.
function fillIn(value, open, [depth, height, width]) {
  const steps = [[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]];
  for (let turn = 0; turn < 3; turn++) {
    const known = open.slice();
    for (let z = 0, index = 0; z < depth; z++) for (let y = 0; y < height; y++) for (let x = 0; x < width; x++, index++) {
      if (known[index]) continue;
      let sum = 0, count = 0;
      for (const [dz, dy, dx] of steps) {
        if (z + dz < 0 || z + dz >= depth || y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width) continue;
        const other = index + (dz * height + dy) * width + dx;
        if (known[other]) { sum += value[other]; count++; }
      }
      if (count) { value[index] = sum / count; open[index] = true; }
    }
  }
}
