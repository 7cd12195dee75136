// Curves of the readouts, with a mark at the present time.

const timeOf = (frame) => frame.minutes / model.curves.minutes;
const suffix = (index) => (index ? String(index + 1) : "");

function makeCurves() {
  const box = element("curves"), chosen = model.curves;
  box.hidden = !chosen;
  if (!chosen) return;
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
  Plotly.react(box, data, plan, { responsive: true, displayModeBar: false });
  if (chosen.minutes === null) return;
  box.removeAllListeners("plotly_click");
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
