// Surfaces of tissues, and the face that a cut has.

const FINE = 3; // parts of a voxel's edge that faces of the cut are drawn by

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
  if (whole()) {
    const points = [2, 1, 0].map((axis) => Float32Array.from(stored.points.subarray(axis * count, (axis + 1) * count), (value) => origin + step * value));
    const corners = [0, 1, 2].map((corner) => faces.filter((_, index) => index % 3 === corner));
    return { points, corners, used: null };
  }
  const along = stored.points.subarray((2 - cut.axis) * count, (3 - cut.axis) * count);
  const low = ((cut.low - 0.6) * spacing - origin) / step, high = ((cut.high + 0.6) * spacing - origin) / step;
  const place = new Int32Array(count).fill(-1), used = [];
  const corners = [[], [], []];
  const within = (point) => along[point] >= low && along[point] <= high;
  for (let face = 0; face < faces.length; face += 3) {
    if (!within(faces[face]) && !within(faces[face + 1]) && !within(faces[face + 2])) continue;
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
    extra.intensity = used ? used.map((point) => stored.formed[point]) : stored.formed;
    Object.assign(extra, { cmin: 0, cmax: 255, colorscale: [[0, entry.colour], [1, line["bone formed"].colour]] });
  }
  if (entry.key in model.tissue.codes && !whole()) {
    closeCut(model.tissue.codes[entry.key], points, corners);
    if (extra.intensity) while (extra.intensity.length < points[0].length) extra.intensity.push(0);
  }
  return mesh(entry, points, corners, extra);
}
