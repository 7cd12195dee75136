// The picture: everything together, the axes and the camera, drawn by plotly.

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
  return [...made, ...fieldTraces(), chosenTrace()].filter(Boolean);
}

const unit = (vector) => vector.map((value) => value / Math.hypot(...vector));
const of = ({ x, y, z }) => [x, y, z];
const towardsEye = () => unit(of(camera.eye).map((value, axis) => value - of(camera.center)[axis]));
// The axis (of x, y, z) that the eye looks along, -1 where it looks askew. Its numbers would lie on those of the
// others, which take room at the edge of the picture.
const along = () => towardsEye().findIndex((part) => Math.abs(part) > 0.99);

// Length of the lattice's longest edge in units of plotly's box (two of them are as high as the picture) at which
// the part that is drawn fills the picture.
function fit() {
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const towards = towardsEye(), right = unit(cross(of(camera.up), towards)), up = cross(towards, right);
  const edges = [2, 1, 0].map((axis) => (axis === cut.axis ? cut.high - cut.low : shape[axis]) / Math.max(...shape));
  const reach = (direction) => edges.reduce((sum, edge, axis) => sum + edge * Math.abs(direction[axis]), 0);
  return (along() < 0 ? 0.92 : 0.78) * Math.min(2 / reach(up), (2 * view.clientWidth) / view.clientHeight / reach(right));
}

function layout() {
  const longest = Math.max(...shape) * spacing, filling = (zoom * fit()) / longest, scene = { aspectmode: "manual", aspectratio: {}, camera, dragmode: "turntable" };
  for (let axis = 0; axis < 3; axis++) {
    const name = NAMES[axis], hidden = along() === 2 - axis, own = axis === cut.axis && !whole();
    // Surfaces reach half a voxel beyond the lattice; plotly draws nothing outside the axes.
    const low = own && cut.low > 0 ? cut.low - 0.05 : -0.6;
    const high = own && cut.high < shape[axis] ? cut.high + 0.05 : shape[axis] + 0.6;
    scene.aspectratio[name] = filling * (high - low) * spacing;
    scene[`${name}axis`] = {
      range: [low * spacing, high * spacing], title: { text: hidden ? "" : `${name} (µm)`, font: { size: 12 } },
      tickfont: { size: 11 }, showticklabels: !hidden,
      showbackground: false, gridcolor: "#e4e4e4", zeroline: false, showspikes: false, showline: true, linecolor: "#777",
      mirror: true, nticks: 6, tickangle: 0, autorange: false,
      ...(own ? { tickvals: [cut.low * spacing, cut.high * spacing] } : {}),
    };
  }
  return { scene, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, hovermode: "closest" };
}


// One picture after another; of those that wait, only the last one is drawn.
let idle = Promise.resolve();
function draw() {
  const turn = ++drawing;
  idle = idle.then(() => (turn === drawing ? drawNow(turn) : null)).catch((error) => {
    trouble(`The frame cannot be drawn: ${error.message}.`);
    stop();
  });
  return idle;
}

async function drawNow(turn) {
  const index = wish.frame, found = await load(index);
  if (turn !== drawing) return;
  now = found;
  if (adopt(now.entry.layers || [])) makeLegend();
  await Plotly.react(view, traces(now.entry), layout(), CONFIG);
  element("trouble").hidden = true;
  element("time").textContent = now.entry.label;
  element("caption").textContent = now.entry.caption;
  element("frame").value = index;
  writePlace();
  writeLegend(now.entry);
  writeControls();
  writeChosen();
  markTime(now.entry);
  view.dataset.drawn = String(turn);
}

function writePlace() {
  element("place").textContent = `frame ${wish.frame + 1} of ${model.frames.length}${model.running ? ", running" : ""}`;
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
