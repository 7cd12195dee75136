// Cells, places of niches, and what was chosen.

const ROUND = 1000; // up to as many cells of a kind are drawn as icosahedra, more as octahedra

// A solid whose shadow is, over all directions, as large as that of a ball of diameter 1 (a quarter of its surface;
// Cauchy 1832), so that cells seem as large as they are whatever stands for them.
function solid(points, faces) {
  const edge = (from, to) => points[to].map((value, axis) => value - points[from][axis]);
  const area = ([a, b, c]) => {
    const [u, v] = [edge(a, b), edge(a, c)];
    return Math.hypot(u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]) / 2;
  };
  const size = Math.sqrt(Math.PI / faces.reduce((sum, face) => sum + area(face), 0));
  return { points: points.map((point) => point.map((value) => value * size)), faces };
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
  const every = model.most ? Math.ceil(rows.length / model.most) : 1;
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

// The voxel of what was chosen; null where nothing was, or where the cell is not in the tissue.
function chosenSite() {
  if (!wish.chosen || wish.chosen.site) return wish.chosen && wish.chosen.site;
  const row = now.cells.id.indexOf(wish.chosen.id);
  return row < 0 ? null : at(now.cells.site[row]);
}

function chosenTrace() {
  const site = chosenSite();
  if (!site || !inside(site[cut.axis])) return null;
  const [z, y, x] = site.map((edge) => [(edge + 0.5) * spacing]);
  return {
    type: "scatter3d", mode: "markers", uid: "chosen", name: "Chosen", meta: "chosen", x, y, z, hoverinfo: "skip",
    marker: { symbol: "circle-open", size: 20, color: model.ink, line: { width: 3, color: model.ink } },
  };
}
