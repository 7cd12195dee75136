// The picture as a PNG file, with title, time, colour scale and legend.

const SCALE = 2; // pixels of the file a pixel of the page

async function screenshot() {
  const [width, height, margin, key] = [view.clientWidth, view.clientHeight, 14, 330], row = 17;
  const shown = [...element("legend").tBodies[0].rows].filter((entry) => !entry.classList.contains("off"));
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  canvas.width = SCALE * (width + key);
  canvas.height = SCALE * Math.max(height + 60, margin * 2 + row * (shown.length + 4));
  pen.scale(SCALE, SCALE);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const picture = new Image();
  picture.src = await Plotly.toImage(view, { format: "png", width, height, scale: SCALE });
  await picture.decode();
  pen.drawImage(picture, 0, 52, width, height);
  const write = (text, x, y, font = "13px sans-serif", align = "left") => {
    [pen.fillStyle, pen.font, pen.textAlign] = [model.ink, font, align];
    pen.fillText(text, x, y);
  };
  write(model.title, margin, 22, "bold 16px sans-serif");
  write(`${now.entry.label}    ${now.entry.caption}`, margin, 42);
  const right = width + key - margin, colours = fieldNow();
  let y = margin + row;
  for (const entry of shown) {
    const [name, count] = [entry.cells[0], entry.querySelector("td.number")], swatch = entry.querySelector(".swatch");
    const heading = name.tagName === "TH", text = name.textContent.trim();
    if (swatch) {
      const { backgroundColor, borderRadius } = getComputedStyle(swatch);
      pen.beginPath();
      pen.roundRect(width + 2, y - 10, 11, 11, borderRadius === "50%" ? 6 : 0);
      pen.fillStyle = backgroundColor; pen.strokeStyle = model.ink; pen.lineWidth = swatch.matches(".niches") ? 1.5 : 0.5;
      pen.fill(); pen.stroke();
    }
    write(text, width + (heading ? 0 : 20), y, heading ? "bold 12px sans-serif" : "12px sans-serif");
    if (count) write(count.textContent, right, y, "12px sans-serif", "right");
    y += row;
  }
  if (colours) {
    write(element("colours-name").textContent, width, (y += row / 2), "12px sans-serif");
    const ramp = pen.createLinearGradient(width, 0, right, 0);
    colours.colours.forEach((colour, index) => ramp.addColorStop(index / (colours.colours.length - 1), colour));
    pen.fillStyle = ramp;
    pen.fillRect(width, (y += 6), right - width, 11);
    [...element("colours-ends").children].forEach((end, index) =>
      write(end.textContent, [width, (width + right) / 2, right][index], y + 26, "12px sans-serif", ["left", "center", "right"][index]));
  }
  const link = document.createElement("a");
  link.download = `marrowsim-${now.entry.step}.png`;
  link.href = canvas.toDataURL("image/png");
  link.click();
}
