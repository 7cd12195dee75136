// The page of a run. `model` says what is there (viz/page.py), `texts` holds the arrays (viz/page_data.py).
// Axes are numbered as in the lattice: 0 is z, 1 is y, 2 is x. Lengths are in um.
"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const model = JSON.parse(element("model").textContent);
  const texts = JSON.parse(element("arrays").textContent);
  const { spacing, shape } = model;
  const NAMES = "zyx";
  const MOST_DRAWN = 6000; // of one type and status; of more every n-th by its number
  const FINE = 3; // parts of a voxel's edge that faces of the cut are drawn by
  const ROUND = 1000; // up to as many cells of a kind are drawn as icosahedra, more as octahedra
  const MOST_SAMPLES = 30000; // that the surface of one value is made of
  const KEPT = 60; // arrays that are kept unpacked

  // ---- arrays ---------------------------------------------------------------------------------------------------

  const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
  });
  const TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f2: Uint16Array };
  const unpacked = new Map();

  async function arrays(key) {
    if (unpacked.has(key)) {
      const found = unpacked.get(key);
      unpacked.delete(key);
      unpacked.set(key, found);
      return found;
    }
    const packed = Uint8Array.from(atob(texts[key]), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const content = new Uint8Array(await new Response(stream).arrayBuffer());
    const result = {};
    let start = 0;
    for (const [name, dtype, length] of model.blobs[key]) {
      const width = Number(dtype[1]), bytes = new Uint8Array(length * width);
      for (let byte = 0; byte < width; byte++)
        for (let at = 0; at < length; at++) bytes[at * width + byte] = content[start + byte * length + at];
      start += length * width;
      const values = new TYPES[dtype](bytes.buffer);
      result[name] = dtype === "f2" ? Float32Array.from(values, (bits) => HALVES[bits]) : values;
    }
    unpacked.set(key, result);
    if (unpacked.size > KEPT) unpacked.delete(unpacked.keys().next().value);
    return result;
  }

  // ---- what is shown --------------------------------------------------------------------------------------------

  const view = element("view");
  const on = Object.fromEntries(model.layers.map((line) => [line.key, line.on]));
  const line = Object.fromEntries(model.layers.map((entry) => [entry.key, entry]));
  const cut = { ...model.cut };
  const wish = { frame: model.frames.length - 1, field: model.field || "", fieldAs: "wall", level: 0.8, chosen: null };
  let camera = model.cameras.oblique.camera;
  let zoom = 1; // 1 fills the picture
  let picked = {}; // by the name of a trace: rows of the cell table and vertices a cell
  let now = null; // the arrays of the frame that is shown
  let drawing = 0;

  const others = (axis) => [0, 1, 2].filter((other) => other !== axis);
  const whole = () => cut.low === 0 && cut.high === shape[cut.axis];
  const inside = (place) => place >= cut.low && place < cut.high;
  const at = (site) => [Math.floor(site / (shape[1] * shape[2])), Math.floor(site / shape[2]) % shape[1], site % shape[2]];
  const number = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(3));
  const quantity = (value, unit) => `${Number(value.toPrecision(4))}${unit ? " " + unit : ""}`;

  async function fetchFrame(frame) {
    const some = async (keys) =>
      Object.fromEntries(await Promise.all(Object.entries(keys).map(async ([name, key]) => [name, await arrays(key)])));
    const [tissue, cells, slots, surfaces, fields] = await Promise.all([
      arrays(frame.tissue), arrays(frame.cells), arrays(frame.slots), some(frame.surfaces), some(frame.fields),
    ]);
    return { tissue: tissue.tissue, cells, slots, surfaces, fields };
  }

  function fieldAt(name, place) {
    const { stride, shape: size } = model.samples;
    const [z, y, x] = place.map((edge) => Math.floor(edge / stride));
    return now.fields[name].values[(z * size[1] + y) * size[2] + x];
  }

  function tissueAt(place) {
    const { stride, shape: size } = model.tissue;
    const [z, y, x] = place.map((edge) => Math.floor(edge / stride));
    return now.tissue[(z * size[1] + y) * size[2] + x];
  }

  // ---- traces ---------------------------------------------------------------------------------------------------

  const LIGHT = { ambient: 0.45, diffuse: 0.65, specular: 0.12, roughness: 0.6, fresnel: 0.05, facenormalsepsilon: 0 };

  // Plotly takes the lamp's place in the coordinates of the screen: right, up, and away, of which a unit is long.
  const LAMP = { x: -4e4, y: 6e4, z: -700 };

  function mesh(entry, points, faces, extra = {}) {
    return {
      type: "mesh3d", visible: true, uid: entry.key, name: entry.label, meta: entry.key, color: entry.colour, opacity: entry.opacity,
      x: points[2], y: points[1], z: points[0], i: faces[0], j: faces[1], k: faces[2],
      hoverinfo: "none", showscale: false, lighting: LIGHT, lightposition: LAMP, ...extra,
    };
  }

  // Points and triangles of a surface that lie in the cut (all of a triangle's corners are kept with it).
  function cutSurface(stored) {
    const { origin, step } = model.surface, count = stored.points.length / 3, faces = stored.faces;
    const along = stored.points.subarray((2 - cut.axis) * count, (3 - cut.axis) * count);
    const low = ((cut.low - 0.6) * spacing - origin) / step, high = ((cut.high + 0.6) * spacing - origin) / step;
    const place = new Int32Array(count).fill(-1), used = [];
    const corners = [[], [], []];
    const within = (point) => along[point] >= low && along[point] <= high;
    for (let face = 0; face < faces.length; face += 3) {
      if (!whole() && !within(faces[face]) && !within(faces[face + 1]) && !within(faces[face + 2])) continue;
      for (let corner = 0; corner < 3; corner++) {
        const point = faces[face + corner];
        if (place[point] < 0) place[point] = used.push(point) - 1;
        corners[corner].push(place[point]);
      }
    }
    const points = [0, 1, 2].map((axis) => used.map((point) => origin + step * stored.points[(2 - axis) * count + point]));
    return { points, corners, used };
  }

  // The face of the cut towards the eye: rectangles over a tissue, added to its surface. The tissue's edge is drawn
  // smoothly, as its surface is, by parts of a voxel.
  function closeCut(code, points, corners) {
    const { stride, shape: size } = model.tissue, [rows, columns] = others(cut.axis);
    const layer = farHigh() ? cut.low : cut.high - 1, plane = farHigh() ? cut.low + 0.02 : cut.high - 0.02;
    if (farHigh() ? cut.low === 0 : cut.high === shape[cut.axis]) return;
    const height = size[rows], width = size[columns], mask = new Float32Array(height * width);
    const place = [0, 0, 0];
    place[cut.axis] = Math.floor(layer / stride);
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        place[rows] = row; place[columns] = column;
        mask[row * width + column] = now.tissue[(place[0] * size[1] + place[1]) * size[2] + place[2]] === code;
      }
    const clamp = (value, edge) => Math.max(0, Math.min(edge - 1, value));
    const read = (grid, row, column) => grid[clamp(row, height) * width + clamp(column, width)];
    const blurred = (grid, up, across) => grid.map((value, index) => {
      const row = Math.floor(index / width), column = index % width;
      return (read(grid, row - up, column - across) + 2 * value + read(grid, row + up, column + across)) / 4;
    });
    const smooth = blurred(blurred(mask, 1, 0), 0, 1);
    const is = (row, column) => {
      if (column >= width * FINE) return false;
      const y = (row + 0.5) / FINE - 0.5, x = (column + 0.5) / FINE - 0.5, top = Math.floor(y), left = Math.floor(x);
      const [down, right] = [y - top, x - left];
      const upper = read(smooth, top, left) * (1 - right) + read(smooth, top, left + 1) * right;
      const lower = read(smooth, top + 1, left) * (1 - right) + read(smooth, top + 1, left + 1) * right;
      return upper * (1 - down) + lower * down > 0.45;
    };
    const limit = (axis, step) => Math.min((step / FINE) * stride, shape[axis]) * spacing;
    for (let row = 0; row < height * FINE; row++)
      for (let column = 0; column < width * FINE; column++) {
        if (!is(row, column)) continue;
        const start = column;
        while (is(row, column + 1)) column++;
        const first = points[0].length;
        for (const [up, across] of [[row, start], [row, column + 1], [row + 1, column + 1], [row + 1, start]]) {
          points[cut.axis].push(plane * spacing);
          points[rows].push(limit(rows, up));
          points[columns].push(limit(columns, across));
        }
        corners[0].push(first, first); corners[1].push(first + 1, first + 2); corners[2].push(first + 2, first + 3);
      }
  }

  function surfaceTrace(entry) {
    const stored = now.surfaces[entry.key];
    if (!stored) return null;
    const { points, corners, used } = cutSurface(stored);
    const extra = {};
    if (stored.formed && on["bone formed"]) {
      extra.intensity = used.map((point) => stored.formed[point]);
      Object.assign(extra, { cmin: 0, cmax: 255, colorscale: [[0, entry.colour], [1, line["bone formed"].colour]] });
    }
    if (entry.key in model.tissue.codes && !whole()) {
      closeCut(model.tissue.codes[entry.key], points, corners);
      if (extra.intensity) while (extra.intensity.length < points[0].length) extra.intensity.push(0);
    }
    return mesh(entry, points, corners, extra);
  }

  function solid(points, faces) {
    const longest = Math.hypot(...points[0]);
    return { points: points.map((point) => point.map((value) => value / longest / 2)), faces };
  }
  const GOLD = (1 + Math.sqrt(5)) / 2;
  const ICOSAHEDRON = solid(
    [[-1, GOLD, 0], [1, GOLD, 0], [-1, -GOLD, 0], [1, -GOLD, 0], [0, -1, GOLD], [0, 1, GOLD], [0, -1, -GOLD],
      [0, 1, -GOLD], [GOLD, 0, -1], [GOLD, 0, 1], [-GOLD, 0, -1], [-GOLD, 0, 1]],
    [[0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2], [10, 7, 6], [7, 1, 8],
      [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5], [2, 4, 11], [6, 2, 10], [8, 6, 7], [9, 8, 1]],
  );
  const OCTAHEDRON = solid(
    [[2, 2, 1], [-2, -2, -1], [-2, 1, 2], [2, -1, -2], [1, -2, 2], [-1, 2, -2]],
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]],
  );

  function cellTrace(entry, first, count) {
    const { site, id } = now.cells, rows = [];
    for (let row = first; row < first + count; row++) if (inside(at(site[row])[cut.axis])) rows.push(row);
    const every = Math.ceil(rows.length / MOST_DRAWN);
    const drawn = every > 1 ? rows.filter((row) => id[row] % every === 0) : rows;
    const { points, faces } = drawn.length > ROUND ? OCTAHEDRON : ICOSAHEDRON;
    const size = Math.max(entry.diameter, entry.least) * spacing;
    const places = [0, 1, 2].map(() => new Float32Array(drawn.length * points.length));
    const corners = [0, 1, 2].map(() => new Uint32Array(drawn.length * faces.length));
    drawn.forEach((row, index) => {
      const centre = at(site[row]), start = index * points.length;
      for (let axis = 0; axis < 3; axis++) {
        const middle = (centre[axis] + 0.5) * spacing;
        for (let point = 0; point < points.length; point++) places[axis][start + point] = middle + size * points[point][axis];
        for (let face = 0; face < faces.length; face++) corners[axis][index * faces.length + face] = start + faces[face][axis];
      }
    });
    picked[entry.key] = { rows: drawn, points: points.length };
    return drawn.length ? mesh(entry, places, corners) : null;
  }

  // The twelve edges of a cube as one line with gaps (null).
  const CUBE = [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0], [0, 0, 0], [1, 0, 0], [1, 0, 1], [1, 1, 1], [1, 1, 0], [1, 0, 0],
    null, [0, 0, 1], [1, 0, 1], null, [0, 1, 1], [1, 1, 1], null, [0, 1, 0], [1, 1, 0], null];

  function nicheTrace(entry) {
    const places = [[], [], []], edge = 1.15 * spacing;
    let drawn = 0;
    for (const site of now.slots.site) {
      const centre = at(site);
      if (!inside(centre[cut.axis])) continue;
      drawn++;
      for (const corner of CUBE)
        for (let axis = 0; axis < 3; axis++)
          places[axis].push(corner ? (centre[axis] + 0.5) * spacing + (corner[axis] - 0.5) * edge : null);
    }
    picked[entry.key] = { drawn };
    if (!drawn) return null;
    return {
      type: "scatter3d", visible: true, mode: "lines", uid: entry.key, name: entry.label, meta: entry.key, hoverinfo: "skip",
      x: places[2], y: places[1], z: places[0], line: { color: entry.colour, width: 1.5 },
    };
  }

  // Sampled indices along an axis, and where they are; a picture reaches to the ends of the lattice.
  function samples(axis, low, high) {
    const { stride, shape: size } = model.samples, indices = [];
    for (let index = 0; index < size[axis]; index++) if (index * stride >= low && index * stride < high) indices.push(index);
    return { indices, places: indices.map((index) => (Math.min(index * stride, shape[axis] - 1) + 0.5) * spacing) };
  }

  const farHigh = () => camera.eye[NAMES[cut.axis]] < 0;

  function fieldTrace() {
    const field = model.fields.find((entry) => entry.name === wish.field);
    if (!field || !now.fields[field.name]) return null;
    const [low, high] = field.limits, values = now.fields[field.name].values, size = model.samples.shape;
    const colorscale = field.colours.map((colour, index) => [index / (field.colours.length - 1), colour]);
    const common = { uid: "field", name: field.label, meta: "field", showscale: false, colorscale, cmin: low, cmax: high };
    if (wish.fieldAs === "isosurface") return isosurface(field, common, values, size);
    const [rows, columns] = others(cut.axis);
    const middle = (cut.low + cut.high) / 2;
    const layer = wish.fieldAs === "plane" ? Math.floor(middle) : farHigh() ? cut.high - 1 : cut.low;
    const position = wish.fieldAs === "plane" ? middle : farHigh() ? cut.high - 0.05 : cut.low + 0.05;
    const up = samples(rows, 0, shape[rows]), across = samples(columns, 0, shape[columns]);
    const place = [0, 0, 0];
    place[cut.axis] = Math.floor(layer / model.samples.stride);
    const grid = { [rows]: [], [columns]: [], [cut.axis]: [] }, colours = [];
    up.indices.forEach((row, index) => {
      place[rows] = row;
      grid[rows].push(across.places.map(() => up.places[index]));
      grid[columns].push(across.places);
      grid[cut.axis].push(across.places.map(() => position * spacing));
      colours.push(across.indices.map((column) => {
        place[columns] = column;
        return values[(place[0] * size[1] + place[1]) * size[2] + place[2]];
      }));
    });
    return {
      ...common, type: "surface", x: grid[2], y: grid[1], z: grid[0], surfacecolor: colours, hoverinfo: "none",
      opacity: wish.fieldAs === "plane" ? 0.85 : 1, contours: { x: { highlight: false }, y: { highlight: false }, z: { highlight: false } },
      lighting: { ambient: 1, diffuse: 0, specular: 0, roughness: 1, fresnel: 0 },
    };
  }

  function isosurface(field, common, values, size) {
    const ranges = [0, 1, 2].map((axis) => samples(axis, axis === cut.axis ? cut.low : 0, axis === cut.axis ? cut.high : shape[axis]));
    const total = ranges.reduce((product, range) => product * range.indices.length, 1);
    const every = Math.max(1, Math.ceil(Math.cbrt(total / MOST_SAMPLES)));
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

  const levelOf = (field) => field.limits[0] + wish.level * (field.limits[1] - field.limits[0]);

  function chosenTrace() {
    const row = wish.chosen === null ? -1 : now.cells.id.indexOf(wish.chosen);
    if (row < 0 || !inside(at(now.cells.site[row])[cut.axis])) return null;
    const [z, y, x] = at(now.cells.site[row]).map((edge) => [(edge + 0.5) * spacing]);
    return {
      type: "scatter3d", mode: "markers", uid: "chosen", name: "Chosen cell", meta: "chosen", x, y, z, hoverinfo: "skip",
      marker: { symbol: "circle-open", size: 20, color: model.ink, line: { width: 3, color: model.ink } },
    };
  }

  function traces(frame) {
    picked = {};
    const first = {};
    let start = 0;
    for (const group of frame.groups) { first[group.key] = [start, group.stored]; start += group.stored; }
    const made = model.layers.map((entry) => {
      let trace = null;
      if (!on[entry.key]) trace = null;
      else if (entry.what === "cells") trace = first[entry.key] ? cellTrace(entry, ...first[entry.key]) : null;
      else if (entry.what === "niches") trace = nicheTrace(entry);
      else trace = surfaceTrace(entry);
      return trace || { ...(entry.what === "niches" ? { type: "scatter3d", mode: "lines" } : { type: "mesh3d" }),
        uid: entry.key, name: entry.label, meta: entry.key, visible: false };
    });
    return [...made, fieldTrace(), chosenTrace()].filter(Boolean);
  }

  // Length of the lattice's longest edge in units of plotly's box (two of them are as high as the picture) at which
  // the part that is drawn fills the picture.
  function fit() {
    const unit = (vector) => vector.map((value) => value / Math.hypot(...vector));
    const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    const of = ({ x, y, z }) => [x, y, z];
    const towards = unit(of(camera.eye).map((value, axis) => value - of(camera.center)[axis]));
    const right = unit(cross(of(camera.up), towards)), up = cross(towards, right);
    const edges = [2, 1, 0].map((axis) => (axis === cut.axis ? cut.high - cut.low : shape[axis]) / Math.max(...shape));
    const reach = (direction) => edges.reduce((sum, edge, axis) => sum + edge * Math.abs(direction[axis]), 0);
    return 0.92 * Math.min(2 / reach(up), (2 * view.clientWidth) / view.clientHeight / reach(right));
  }

  function layout() {
    const longest = Math.max(...shape) * spacing, filling = (zoom * fit()) / longest, scene = { aspectmode: "manual", aspectratio: {}, camera, dragmode: "turntable" };
    for (let axis = 0; axis < 3; axis++) {
      const name = NAMES[axis], own = axis === cut.axis && !whole();
      const low = (own ? cut.low : 0) - (own ? 0.05 : 0.6), high = (own ? cut.high : shape[axis]) + (own ? 0.05 : 0.6);
      scene.aspectratio[name] = filling * (high - low) * spacing;
      scene[`${name}axis`] = {
        range: [low * spacing, high * spacing], title: { text: `${name} (µm)`, font: { size: 12 } }, tickfont: { size: 11 },
        showbackground: false, gridcolor: "#e4e4e4", zeroline: false, showspikes: false, showline: true, linecolor: "#777",
        mirror: true, nticks: 6, autorange: false,
        ...(own ? { tickvals: [cut.low * spacing, cut.high * spacing] } : {}),
      };
    }
    return { scene, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, hovermode: "closest" };
  }

  // ---- drawing --------------------------------------------------------------------------------------------------

  async function draw() {
    const turn = ++drawing, frame = model.frames[wish.frame];
    const found = await fetchFrame(frame);
    if (turn !== drawing) return;
    now = found;
    await Plotly.react(view, traces(frame), layout(), CONFIG);
    if (turn !== drawing) return;
    element("time").textContent = frame.label;
    element("caption").textContent = frame.caption;
    element("frame").value = wish.frame;
    element("place").textContent = `frame ${wish.frame + 1} of ${model.frames.length}`;
    writeLegend(frame);
    writeControls();
    writeChosen();
    markTime(frame);
    view.dataset.drawn = String(turn);
  }

  // Twice as many pixels as shown make edges smooth; a browser that draws without a graphics card is quick with as many.
  function pixelRatio() {
    const context = document.createElement("canvas").getContext("webgl");
    const names = context && context.getExtension("WEBGL_debug_renderer_info");
    return names && /swiftshader|llvmpipe|software|basic render/i.test(context.getParameter(names.UNMASKED_RENDERER_WEBGL)) ? 1 : 2;
  }

  const CONFIG = {
    plotGlPixelRatio: pixelRatio(), responsive: true, displaylogo: false, scrollZoom: true,
    modeBarButtonsToRemove: ["resetCameraLastSave3d", "hoverClosest3d", "resetCameraDefault3d", "tableRotation", "orbitRotation"],
    toImageButtonOptions: { filename: "marrowsim", scale: 2 },
  };

  // ---- legend and controls --------------------------------------------------------------------------------------

  const cellsOf = {};

  function makeLegend() {
    const body = element("legend").tBodies[0];
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
      box.type = "checkbox"; box.checked = box.defaultChecked = on[entry.key];
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

  function writeControls() {
    const field = model.fields.find((entry) => entry.name === wish.field);
    element("colours").hidden = !field;
    element("level-row").hidden = wish.fieldAs !== "isosurface" || !field;
    if (field) {
      const unit = field.unit ? ` (${field.unit})` : "", [low, high] = field.limits;
      const where = { wall: ", on the far wall", plane: ", in the middle", isosurface: "" }[wish.fieldAs];
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

  // Turn the slab towards the eye; that of the beginning where it lies across the same axis.
  function slabAcross(axis) {
    const thick = cut.high - cut.low, first = model.cut;
    if (whole() || axis === cut.axis) draw();
    else if (axis === first.axis) setCut(axis, first.low, first.high - first.low);
    else setCut(axis, Math.floor((shape[axis] - thick) / 2), thick);
  }

  function makeControls() {
    const choices = [["", "none"], ...model.fields.map((field) => [field.name, field.label + (field.unit ? ` (${field.unit})` : "")])];
    element("field").append(...choices.map(([value, text]) => new Option(text, value, value === wish.field, value === wish.field)));
    element("field").addEventListener("change", (event) => { wish.field = event.target.value; draw(); });
    element("field-as").addEventListener("change", (event) => { wish.fieldAs = event.target.value; draw(); });
    element("level").addEventListener("change", (event) => { wish.level = event.target.value / 100; draw(); });
    element("axis").addEventListener("change", (event) => {
      const axis = Number(event.target.value), thick = Math.min(cut.high - cut.low, shape[axis]);
      setCut(axis, whole() ? 0 : Math.floor((shape[axis] - thick) / 2), whole() ? shape[axis] : thick);
    });
    element("from").addEventListener("change", (event) => setCut(cut.axis, Number(event.target.value), cut.high - cut.low));
    element("thick").addEventListener("change", (event) => setCut(cut.axis, cut.low, Number(event.target.value)));
    element("whole").addEventListener("click", () => setCut(cut.axis, 0, shape[cut.axis]));
    element("slab").addEventListener("click", () => setCut(model.cut.axis, model.cut.low, model.cut.high - model.cut.low));
    for (const [name, preset] of Object.entries(model.cameras)) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
      button.addEventListener("click", () => { camera = preset.camera; zoom = 1; slabAcross(preset.axis); });
      element("cameras").append(button, " ");
    }
    element("frame").max = model.frames.length - 1;
    element("frame").addEventListener("input", (event) => { stop(); show(Number(event.target.value)); });
    element("play").addEventListener("click", () => (playing ? stop() : play()));
  }

  function show(frame) {
    wish.frame = frame;
    return draw();
  }

  let playing = false;
  function stop() {
    playing = false;
    element("play").textContent = "▶";
  }
  async function play() {
    playing = true;
    element("play").textContent = "❚❚";
    let next = wish.frame + 1 < model.frames.length ? wish.frame + 1 : 0;
    while (playing && next < model.frames.length) {
      const pause = new Promise((done) => setTimeout(done, 600));
      await show(next++);
      await pause;
    }
    stop();
  }

  // ---- values under the pointer ---------------------------------------------------------------------------------

  function valuesAt(place) {
    return model.fields
      .filter((field) => now.fields[field.name])
      .map((field) => `${field.label} ${quantity(fieldAt(field.name, place), field.unit)}`)
      .join(" · ");
  }

  function describe(point) {
    const key = point.data.meta, entry = line[key];
    const cell = entry && entry.what === "cells" ? picked[key] : null;
    const place = (site) => [2, 1, 0].map((axis) => `${NAMES[axis]} ${(site[axis] + 0.5) * spacing}`).join(", ") + " µm";
    if (cell) {
      const row = cell.rows[Math.floor(point.pointNumber / cell.points)], site = at(now.cells.site[row]);
      return { text: `${entry.label}\ncell ${now.cells.id[row]} (type ${entry.type}, ${entry.status}) · CXCR4 ${quantity(now.cells.cxcr4[row], "")}\n${place(site)}\n${valuesAt(site)}`,
        id: now.cells.id[row] };
    }
    if (key === "field") {
      const site = [point.z, point.y, point.x].map((value, axis) => Math.max(0, Math.min(shape[axis] - 1, Math.floor(value / spacing))));
      return { text: `${model.tissue.names[tissueAt(site)]}\n${place(site)}\n${valuesAt(site)}` };
    }
    return entry ? { text: entry.label } : null;
  }

  function writeChosen() {
    const box = element("chosen");
    if (wish.chosen === null) return;
    const row = now.cells.id.indexOf(wish.chosen);
    if (row < 0) { box.textContent = `Cell ${wish.chosen} is not in the tissue at this time.`; return; }
    let start = 0;
    const group = model.frames[wish.frame].groups.find((entry) => row < (start += entry.stored));
    const site = at(now.cells.site[row]);
    const where = [2, 1, 0].map((axis) => `${NAMES[axis]} ${(site[axis] + 0.5) * spacing}`).join(", ");
    box.textContent = `Cell ${wish.chosen}: ${line[group.key].label}; CXCR4 ${quantity(now.cells.cxcr4[row], "")}; ${where} µm; ${valuesAt(site)}`;
  }

  function listen() {
    const tip = element("tip");
    let pointer = [0, 0], pointed = null;
    view.addEventListener("mousemove", (event) => {
      const frame = view.getBoundingClientRect();
      pointer = [event.clientX - frame.left, event.clientY - frame.top];
    });
    view.addEventListener("mouseleave", () => { tip.hidden = true; });
    view.on("plotly_hover", (event) => {
      pointed = describe(event.points[0]);
      tip.hidden = !pointed;
      if (!pointed) return;
      tip.textContent = pointed.text;
      tip.style.left = `${Math.min(pointer[0] + 16, view.clientWidth - 240)}px`;
      tip.style.top = `${Math.min(pointer[1] + 12, view.clientHeight - 90)}px`;
    });
    view.on("plotly_unhover", () => { tip.hidden = true; });
    // Plotly misses a click that is shorter than a picture takes to draw.
    let pressed = null;
    view.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY]; }, true);
    view.addEventListener("pointerup", (event) => {
      const still = pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 4;
      if (still && !tip.hidden && pointed && pointed.id !== undefined) { wish.chosen = pointed.id; draw(); }
    }, true);
    view.on("plotly_relayout", (change) => {
      const ratio = change["scene.aspectratio"], before = farHigh();
      if (ratio) zoom = ratio.x / (view.layout.scene.aspectratio.x / zoom);
      camera = change["scene.camera"] || camera;
      if (before !== farHigh()) draw();
    });
  }

  // ---- readouts -------------------------------------------------------------------------------------------------

  const timeOf = (frame) => frame.minutes / model.curves.minutes;
  const suffix = (index) => (index ? String(index + 1) : "");

  function makeCurves() {
    const box = element("curves"), chosen = model.curves;
    if (!chosen) { box.hidden = true; return; }
    const count = chosen.panels.length, data = [], annotations = [], plan = { annotations };
    chosen.panels.forEach((panel, index) => {
      const own = suffix(index), width = 1 / count, left = index * width + (index ? 0.03 : 0), right = (index + 1) * width - 0.02;
      plan[`xaxis${own}`] = { domain: [left, right], anchor: `y${own}`, title: { text: chosen.label, standoff: 4, font: { size: 11 } }, tickfont: { size: 10 }, zeroline: false, fixedrange: true };
      plan[`yaxis${own}`] = { anchor: `x${own}`, title: { text: panel.unit, standoff: 2, font: { size: 11 } }, tickfont: { size: 10 }, rangemode: panel.lines.length > 1 ? "tozero" : "normal", nticks: 4, fixedrange: true, automargin: true };
      const values = panel.lines.flatMap((entry) => entry.values).filter((value) => value !== null);
      const [least, most] = [Math.min(...values), Math.max(...values)];
      if (most > 0 && most - least < 1e-6 * most) plan[`yaxis${own}`].range = [0, 1.25 * most];
      const names = panel.lines.length > 1 ? "<br>" + panel.lines.map((entry) => `<span style="color:${entry.colour}">${entry.name}</span>`).join(" · ") : "";
      annotations.push({ xref: "paper", yref: "paper", x: left, y: 1, xanchor: "left", yanchor: "bottom", showarrow: false, align: "left", text: `<b>${panel.title}</b>${names}`, font: { size: 11 } });
      for (const entry of panel.lines)
        data.push({ type: "scatter", mode: "lines", x: chosen.times, y: entry.values, name: entry.name, xaxis: `x${own}`, yaxis: `y${own}`, line: { color: entry.colour, width: 2 }, hovertemplate: `%{y} ${panel.unit}` });
    });
    Object.assign(plan, { margin: { l: 50, r: 10, t: 42, b: 36 }, showlegend: false, hovermode: "x", plot_bgcolor: "#fff" });
    Plotly.newPlot(box, data, plan, { responsive: true, displayModeBar: false });
    if (chosen.minutes === null) return;
    box.on("plotly_click", (event) => {
      const minutes = event.points[0].x * chosen.minutes;
      const far = model.frames.map((frame) => Math.abs(frame.minutes - minutes));
      stop();
      show(far.indexOf(Math.min(...far)));
    });
  }

  function markTime(frame) {
    if (!model.curves || model.curves.minutes === null) return;
    const place = timeOf(frame);
    const shapes = model.curves.panels.map((_, index) => ({
      type: "line", xref: `x${suffix(index)}`, yref: `y${suffix(index)} domain`, x0: place, x1: place, y0: 0, y1: 1,
      line: { color: model.ink, width: 1.5, dash: "dot" },
    }));
    Plotly.relayout(element("curves"), { shapes });
  }

  // ---- start ----------------------------------------------------------------------------------------------------

  function trouble(text) {
    element("trouble").hidden = false;
    element("trouble").textContent = text;
  }

  async function start() {
    element("title").textContent = model.title;
    element("origin").textContent = `${model.title}: seed ${model.seed}, ${model.software}, state ${model.hash.slice(0, 12)}; ` +
      `${[2, 1, 0].map((axis) => (shape[axis] * spacing) / 1000).join(" × ")} mm (x, y, z), voxels of ${spacing} µm.`;
    element("notes").textContent = model.notes.length ? `To keep this file small: ${model.notes.join("; ")}.` : "Nothing was left out.";
    if (model.scenario) element("scenario").querySelector("pre").textContent = model.scenario;
    else element("scenario").hidden = true;
    makeLegend();
    makeControls();
    makeCurves();
    if (!document.createElement("canvas").getContext("webgl")) {
      trouble("This browser shows no 3D pictures (WebGL is off).\nRemedy: switch on hardware acceleration in its settings, or open the file in Firefox, Chrome, Edge or Safari.");
      return;
    }
    if (typeof DecompressionStream === "undefined") {
      trouble("This browser is too old to unpack the data.\nRemedy: Firefox 113, Chrome 80, Edge 80, Safari 16.4 or later.");
      return;
    }
    await draw();
    listen();
  }

  start().catch((error) => { trouble(`The page cannot be drawn: ${error.message}`); throw error; });
})();
