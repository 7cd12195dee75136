// Where frames come from. `model` says what there is (viz/page_model.py); frames stand in the page itself, or are
// fetched from the server of `marrowsim view` (viz/pageserver.py). Whoever draws does not know which.
// Axes are numbered as in the lattice: 0 is z, 1 is y, 2 is x. Lengths are in um.
const element = (id) => document.getElementById(id);
const model = JSON.parse(element("model").textContent);
const texts = JSON.parse(element("arrays").textContent);
const { spacing, shape } = model;
const NAMES = "zyx";
const KEPT = 60; // arrays that are kept unpacked

const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
});
const TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f2: Uint16Array };
const remembered = new Map();

// What `make` makes, or what it made before under this key.
function remember(key, make) {
  const found = remembered.get(key) || make();
  remembered.delete(key);
  remembered.set(key, found);
  found.catch(() => remembered.delete(key));
  if (remembered.size > KEPT) remembered.delete(remembered.keys().next().value);
  return found;
}

// Arrays of a block of bytes, in which the bytes of one significance stand together (viz/page_data.py).
function unpack(content, shapes) {
  const result = {};
  let start = 0;
  for (const [name, dtype, length] of shapes) {
    const width = Number(dtype[1]), bytes = new Uint8Array(length * width);
    for (let byte = 0; byte < width; byte++)
      for (let at = 0; at < length; at++) bytes[at * width + byte] = content[start + byte * length + at];
    start += length * width;
    const values = new TYPES[dtype](bytes.buffer);
    result[name] = dtype === "f2" ? Float32Array.from(values, (bits) => HALVES[bits]) : values;
  }
  // Corners of triangles are told by how far they are below the next point that is unused.
  for (let corner = 0, unused = 0; result.faces && corner < result.faces.length; corner++) {
    if (result.faces[corner] === 0) result.faces[corner] = unused++;
    else result.faces[corner] = unused - result.faces[corner];
  }
  return result;
}

const valuesOf = (length) => [["values", "f2", length]];
const sizeOf = ({ shape: size }) => size.reduce((product, edge) => product * edge, 1);

const embedded = {
  entry: async (index) => model.frames[index],
  arrays: (_, key) => remember(key, async () => {
    const packed = Uint8Array.from(atob(texts[key]), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return unpack(new Uint8Array(await new Response(stream).arrayBuffer()), model.blobs[key]);
  }),
  volume: async (entry, name) => (await embedded.arrays(entry, entry.fields[name])).values,
  async plane(entry, name, axis, layer) {
    const values = await embedded.volume(entry, name), { stride, shape: size } = model.planes;
    const [rows, columns] = others(axis), place = [0, 0, 0], found = new Float32Array(size[rows] * size[columns]);
    place[axis] = Math.floor(layer / stride);
    for (place[rows] = 0; place[rows] < size[rows]; place[rows]++)
      for (place[columns] = 0; place[columns] < size[columns]; place[columns]++)
        found[place[rows] * size[columns] + place[columns]] = values[(place[0] * size[1] + place[1]) * size[2] + place[2]];
    return found;
  },
  async values(entry, site) {
    const { stride, shape: size } = model.samples, [z, y, x] = site.map((edge) => Math.floor(edge / stride));
    const there = model.fields.filter((field) => entry.fields[field.name]);
    return Promise.all(there.map(async (field) => {
      const values = await embedded.volume(entry, field.name);
      return `${field.label} ${quantity(values[(z * size[1] + y) * size[2] + x], field.unit)}`;
    }));
  },
};

async function asked(path) {
  let answer;
  // With the key of the page's own address: inside a notebook of another address browsers send no cookies.
  try { answer = await fetch(path + location.search); } catch { throw new Error("the server does not answer; start marrowsim view again, or mend the connection to it"); }
  if (!answer.ok) throw new Error((await answer.text()).trim() || `the server says ${answer.status}`);
  return answer;
}
const bytes = async (path) => new Uint8Array(await (await asked(path)).arrayBuffer());

const fetched = {
  entry(index) {
    const { step } = model.frames[index];
    return remember(`frame ${step}`, async () => (await asked(`frames/${step}`)).json());
  },
  arrays: (entry, key) => remember(key, async () => unpack(await bytes(`arrays/${entry.step}/${key}`), entry.blobs[key])),
  volume: (entry, name) => remember(`volume ${entry.step} ${name}`, async () =>
    unpack(await bytes(`volumes/${entry.step}/${name}`), valuesOf(sizeOf(model.samples))).values),
  plane: (entry, name, axis, layer) => remember(`plane ${entry.step} ${name} ${axis} ${layer}`, async () =>
    unpack(await bytes(`planes/${entry.step}/${name}/${axis}/${layer}`), valuesOf(sizeOf(model.planes) / model.planes.shape[axis])).values),
  values: (entry, site) => remember(`values ${entry.step} ${site}`, async () =>
    (await asked(`values/${entry.step}/${site.join("/")}`)).json()),
};

const source = model.live ? fetched : embedded;
