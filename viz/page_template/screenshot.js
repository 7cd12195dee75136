// The picture as a PNG file, with title, time, colour scale and legend.

const SCALE = 2; // pixels of the file a pixel of the page

const HEAD = 58; // pixels of the page above the picture: title, time and caption
const KEY = 330; // and beside it: the legend
const ROW = 17;

// Lines of the legend of what is drawn, with the headings that have such lines.
function shownLines() {
  const kept = [];
  for (const row of element("legend").tBodies[0].rows) {
    const heading = row.cells[0].tagName === "TH";
    if (heading && kept.length && kept[kept.length - 1].heading) kept.pop();
    if (!row.classList.contains("off")) kept.push({ row, heading });
  }
  return kept.length && kept[kept.length - 1].heading ? kept.slice(0, -1) : kept;
}

async function screenshot() {
  const [width, height, margin] = [view.clientWidth, view.clientHeight, 14], lines = shownLines(), field = fieldNow();
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d"), right = width + KEY - margin;
  canvas.width = SCALE * (width + KEY);
  canvas.height = SCALE * (HEAD + Math.max(height, ROW * (lines.length + 4)));
  pen.scale(SCALE, SCALE);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width + KEY, canvas.height);
  const picture = new Image();
  picture.src = await Plotly.toImage(view, { format: "png", width, height, scale: SCALE });
  await picture.decode();
  pen.drawImage(picture, 0, HEAD, width, height);
  const write = (text, x, y, size = 12, align = "left", weight = "") => {
    [pen.fillStyle, pen.font, pen.textAlign] = [model.ink, `${weight} ${size}px sans-serif`, align];
    pen.fillText(text, x, y, right - margin);
  };
  write(model.title, margin, 22, 16, "left", "bold");
  write(now.entry.label, right, 22, 16, "right", "bold");
  write(now.entry.caption, margin, 42);
  let y = HEAD + ROW;
  for (const { row, heading } of lines) {
    const swatch = row.querySelector(".swatch"), [total, drawn] = [...row.querySelectorAll("td.number")].map((cell) => cell.textContent);
    if (swatch) {
      const { backgroundColor, borderRadius } = getComputedStyle(swatch);
      pen.beginPath();
      pen.roundRect(width + 2, y - 10, 11, 11, borderRadius === "50%" ? 6 : 0);
      [pen.fillStyle, pen.strokeStyle, pen.lineWidth] = [backgroundColor, model.ink, swatch.matches(".niches") ? 1.5 : 0.5];
      pen.fill();
      pen.stroke();
    }
    write(row.cells[0].textContent.trim(), width + (heading ? 0 : 20), y, 12, "left", heading ? "bold" : "");
    if (total) write(drawn && drawn !== total ? `${drawn} of ${total}` : total, right, y, 12, "right");
    y += ROW;
  }
  if (field) {
    const ramp = pen.createLinearGradient(width, 0, right, 0);
    field.colours.forEach((colour, index) => ramp.addColorStop(index / (field.colours.length - 1), colour));
    write(element("colours-name").textContent, width, y + ROW / 2);
    pen.fillStyle = ramp;
    pen.fillRect(width, y + ROW, right - width, 11);
    [...element("colours-ends").children].forEach((end, index) =>
      write(end.textContent, [width, (width + right) / 2, right][index], y + ROW + 26, 12, ["left", "center", "right"][index]));
  }
  const link = document.createElement("a");
  link.download = `marrowsim-${now.entry.step}.png`;
  link.href = canvas.toDataURL("image/png");
  link.click();
}
