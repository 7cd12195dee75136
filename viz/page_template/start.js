// The beginning; and a run that goes on.

const LOOK_EVERY = 2000; // ms between two looks for new frames

function trouble(text) {
  element("trouble").hidden = false;
  element("trouble").textContent = text;
}

// New frames and readouts of a run that goes on; who looks at the last frame sees the new last one.
async function watch() {
  try {
    const known = model.frames.length, atEnd = wish.frame === known - 1;
    const news = await (await asked(`news/${known}`)).json();
    model.frames = news.frames || model.frames;
    model.running = news.running;
    element("frame").max = model.frames.length - 1;
    writePlace();
    if (news.curves) {
      model.curves = news.curves;
      makeCurves();
      markTime(now.entry);
    }
    if (model.frames.length > known && atEnd && !playing) await show(model.frames.length - 1);
    if (failing) element("trouble").hidden = true;
    failing = false;
  } catch (error) {
    failing = true;
    trouble(`No news of the run: ${error.message}.`);
  }
  setTimeout(watch, LOOK_EVERY);
}
let failing = false;

async function start() {
  element("title").textContent = model.title;
  const state = model.hash ? `, state ${model.hash.slice(0, 12)}` : "";
  element("origin").textContent = `${model.title}: seed ${model.seed}, ${model.software}${state}; ` +
    `${[2, 1, 0].map((axis) => (shape[axis] * spacing) / 1000).join(" × ")} mm (x, y, z), voxels of ${spacing} µm.`;
  const kept = model.live ? "Drawn by this browser" : "To keep this file small";
  element("notes").textContent = model.notes.length ? `${kept}: ${model.notes.join("; ")}.` : model.live ? "" : "Nothing was left out.";
  if (model.scenario) element("scenario").querySelector("pre").textContent = model.scenario;
  else element("scenario").hidden = true;
  makeLegend();
  makeControls();
  makeCurves();
  if (!document.createElement("canvas").getContext("webgl")) {
    trouble("This browser shows no 3D pictures (WebGL is off).\nRemedy: switch on hardware acceleration in its settings, or open the page in Firefox, Chrome, Edge or Safari.");
    return;
  }
  if (typeof DecompressionStream === "undefined") {
    trouble("This browser is too old to unpack the data.\nRemedy: Firefox 113, Chrome 80, Edge 80, Safari 16.4 or later.");
    return;
  }
  await draw();
  if (!now) return;
  listen();
  if (model.live) setTimeout(watch, LOOK_EVERY);
}

start().catch((error) => { trouble(`The page cannot be drawn: ${error.message}`); throw error; });
