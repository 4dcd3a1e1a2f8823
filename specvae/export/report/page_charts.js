// Charts as SVG: axes, lines, bars.
function svg(parent, tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

// Round numbers between two bounds, about n of them.
function ticks(a, b, n = 5) {
  const raw = (b - a) / n, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find((m) => m * power >= raw) * power;
  const out = [];
  for (let v = Math.ceil(a / step) * step; v <= b + step * 1e-9; v += step) out.push(Number(v.toPrecision(12)));
  return out;
}

class Chart {
  constructor(id, xLabel, yLabel) {
    this.root = $(id); this.root.replaceChildren();
    [, , this.w, this.h] = this.root.getAttribute("viewBox").split(" ").map(Number);
    this.letter = 0.62 * parseFloat(getComputedStyle(this.root).fontSize);
    this.left = 52; this.right = this.w - 10; this.top = 20; this.bottom = this.h - 40;
    svg(this.root, "text", { x: (this.left + this.right) / 2, y: this.h - 4, "text-anchor": "middle" }, xLabel);
    svg(this.root, "text", { x: 2, y: 9 }, yLabel);
  }
  // fx and fy bring a value to 0..1 of its axis.
  axes(fx, xTicks, fy, yTicks, name = shown) {
    this.fx = (v) => this.left + fx(v) * (this.right - this.left);
    this.fy = (v) => this.bottom - fy(v) * (this.bottom - this.top);
    for (const v of yTicks) {
      svg(this.root, "line", { class: "axis", x1: this.left, x2: this.right, y1: this.fy(v), y2: this.fy(v) });
      svg(this.root, "text", { x: this.left - 5, y: this.fy(v) + 4, "text-anchor": "end" }, shown(v, 3));
    }
    let last = -1e9;
    for (const v of xTicks) {
      const x = this.fx(v), label = name(v), wide = this.letter * label.length + 4;
      if (x - wide / 2 < last || x + wide / 2 > this.w + 8) continue;
      last = x + wide / 2;
      svg(this.root, "text", { x, y: this.bottom + 16, "text-anchor": "middle" }, label);
    }
  }
  line(xs, ys, kind) {
    let path = "", pen = "M";
    xs.forEach((x, i) => {
      if (ys[i] === null || !isFinite(ys[i])) { pen = "M"; return; }
      path += `${pen}${this.fx(x).toFixed(1)} ${Math.max(-1e4, Math.min(1e4, this.fy(ys[i]))).toFixed(1)}`; pen = "L";
    });
    svg(this.root, "path", { class: "line " + kind, d: path });
  }
  area(xs, below, over, kind) {
    const point = (x, y) => `${this.fx(x).toFixed(1)} ${this.fy(y).toFixed(1)}`;
    const edge = [...xs.map((x, i) => point(x, over[i])), ...xs.map((x, i) => point(x, below[i])).reverse()];
    svg(this.root, "path", { class: kind, d: "M" + edge.join("L") + "Z" });
  }
}
const linear = (a, b) => (v) => (v - a) / (b - a || 1);
const bandPlaces = data.wavelengths ?? data.bands.map((_, i) => i);
const bandName = (v) => data.wavelengths ? shown(v) : data.bands[v] ?? "";
// Bars need half a bar of room at both ends, or the first one covers the labels of the axis; lines need none.
function bandAxis(bars) {
  const a = Math.min(...bandPlaces), b = Math.max(...bandPlaces);
  const room = !data.wavelengths ? 0.5 : bars ? 0.5 * (b - a) / Math.max(1, bandPlaces.length - 1) || 0.5 : 0;
  return [linear(a - room, b + room), data.wavelengths && b > a ? ticks(a, b, 6) : bandPlaces];
}

function drawSpectrum(observed, expected) {
  const order = [...bandPlaces.keys()].sort((i, j) => bandPlaces[i] - bandPlaces[j]), by = (row) => order.map((i) => row[i]);
  const known = [...observed, ...(data.envelope ? [...data.envelope[0], ...data.envelope[2]] : [])].filter(isFinite);
  let a = Math.min(...known), b = Math.max(...known);
  if (a === b) { a -= 1; b += 1; }
  // What is expected of an absurd pixel may be absurd itself; it must not flatten what was observed.
  const room = b - a, near = [...expected].filter((v) => v > a - room && v < b + room);
  a = Math.min(a, ...near); b = Math.max(b, ...near);
  const chart = new Chart("spectrum", data.wavelengths ? "wavelength, nm" : data.noun === "rows" ? "column" : "band", "value, in the unit of the input"), [fx, xTicks] = bandAxis();
  chart.axes(fx, xTicks, linear(a - 0.04 * (b - a), b + 0.04 * (b - a)), ticks(a, b), bandName);
  const xs = by(bandPlaces);
  if (data.envelope) { chart.area(xs, by(data.envelope[0]), by(data.envelope[2]), "envelope"); chart.line(xs, by(data.envelope[1]), "middle"); }
  chart.line(xs, by([...expected]).map((v) => Math.max(a, Math.min(b, v))), "expected");
  chart.line(xs, by([...observed]), "observed");
}

// What each band adds to the score; the colour says whether it lies above or below what was expected.
function drawDrivers(contribution, observed, expected) {
  const root = $("drivers");
  const chart = new Chart("drivers", data.wavelengths ? "wavelength, nm" : data.noun === "rows" ? "column" : "band", "nats of the score");
  const [fx, xTicks] = bandAxis(true), least = Math.min(0, ...contribution), most = Math.max(1e-9, ...contribution);
  chart.axes(fx, xTicks, linear(least, most * 1.05), ticks(least, most, 3), bandName);
  // No wider than the narrowest gap between bands, so that no bar hides its neighbour.
  const at = bandPlaces.map(chart.fx).sort((p, q) => p - q), gaps = at.slice(1).map((x, i) => x - at[i]).filter((gap) => gap > 0);
  const wide = Math.max(1, Math.min(26, 0.8 * Math.min(chart.right - chart.left, ...gaps))), floor = chart.fy(0);
  contribution.forEach((v, i) => {
    const y = chart.fy(v), bar = svg(root, "rect", { class: observed[i] < expected[i] ? "down" : "up", x: chart.fx(bandPlaces[i]) - wide / 2, width: wide, y: Math.min(y, floor), height: Math.abs(y - floor) });
    svg(bar, "title", {}, `${data.bands[i]}: ${shown(v, 3)} nats; observed ${shown(observed[i])}, expected ${shown(expected[i])}`);
  });
}

function scoreTicks(a, b) {
  const out = [];
  for (let e = -6; e < 40; e++) for (const m of [1, 2, 5]) { const v = m * 10 ** e; if (v >= a && v <= b) out.push(v); }
  return out.length > 9 ? out.filter((v) => String(v.toExponential()).startsWith("1")) : out;
}

function drawSurvival(cut) {
  const { score, above, normal_score: normal, normal_share: share, tail_share: tail } = data.curves;
  if (!score.length) return;
  const far = Math.max(score[score.length - 1], normal.length ? normal[normal.length - 1] : 0, cut ?? 0), from = Math.min(score[0], normal[0] ?? score[0]);
  const place = (v) => Math.log1p(Math.max(0, v - from)), top = place(far) || 1;
  const floor = Math.log10(Math.max(1e-9, Math.min(1 / data.valid, ...tail.filter((v) => v > 0), ...share.filter((v) => v > 0))));
  const powers = []; for (let e = 0; e >= floor; e -= floor < -6 ? 2 : 1) powers.push(10 ** e);
  const chart = new Chart("survival", "score, nats", `share of ${data.noun} above`);
  chart.axes((v) => place(v) / top, scoreTicks(from, far), (v) => 1 - Math.log10(v) / floor, powers);
  const positive = (row) => row.map((v) => v > 0 ? v : null);
  chart.line(normal, positive(share), "normal");
  chart.line(normal, positive(tail), "tail");
  chart.line(score, above.map((n) => n / data.valid), "scene");
  if (cut !== null) svg(chart.root, "line", { class: "now", x1: chart.fx(cut), x2: chart.fx(cut), y1: chart.top, y2: chart.bottom });
}

function drawHistogram(cut) {
  const { score, above } = data.curves;
  if (!$("histogram") || !score.length) return;
  const bins = 48, counts = new Array(bins).fill(0);
  score.forEach((v, i) => { counts[Math.min(bins - 1, Math.floor(position(v) * bins))] += above[i] - (above[i + 1] ?? 0); });
  const chart = new Chart("histogram", "score, nats", data.noun), most = Math.log10(Math.max(2, ...counts)) * 1.05;
  const powers = []; for (let e = 0; e <= most; e++) powers.push(10 ** e);
  chart.axes(position, scoreTicks(low, high), (v) => Math.max(0, Math.log10(v) + 0.15) / (most + 0.15), powers);
  counts.forEach((n, i) => {
    if (!n) return;
    const x = chart.left + (i / bins) * (chart.right - chart.left), y = chart.fy(n);
    svg(chart.root, "rect", { class: scoreAt((i + 0.5) / bins) > cut ? "up" : "down", x: x + 0.5, y, width: (chart.right - chart.left) / bins - 1, height: chart.bottom - y });
  });
  if (cut !== null && cut <= high) svg(chart.root, "line", { class: "now", x1: chart.fx(cut), x2: chart.fx(cut), y1: chart.top, y2: chart.bottom });
}

function drawLosses() {
  let history = data.history;
  if (!$("losses") || history.length < 2) return;
  let done = 0, last = -1, fit = history[0].fit;
  const xs = history.map((h) => { if (h.fit !== fit) { done = last; fit = h.fit; } last = done + h.step; return last; });
  const values = history.map((h) => h.validation).filter((v) => v !== null), best = values.length ? Math.min(...values) : 0;
  history = history.map((h) => ({ ...h, validation: h.validation === null ? null : h.validation - best }));
  const all = history.flatMap((h) => [h.validation, h.reconstruction, h.kl]).filter((v) => v !== null).sort((p, q) => p - q);
  const a = Math.min(0, all[0]), b = Math.max(all[Math.floor(0.97 * (all.length - 1))], a + 1e-9) * 1.05;
  const chart = new Chart("losses", "step", "nats");
  chart.axes(linear(0, last), ticks(0, last), linear(a, b), ticks(a, b));
  for (const [key, kind] of [["kl", "kl"], ["reconstruction", "expected"], ["validation", "observed"]]) {
    const clipped = history.map((h) => h[key] === null ? null : Math.min(b, Math.max(a, h[key])));
    chart.line(xs, clipped, kind);
  }
}

// Each method's curve against the truth: found over false alarms, which are rare and so logarithmic, and precision over found.
const ROC_KINDS = { specvae: "scene", rx: "observed", pca: "kl", iforest: "expected", chronochrome: "normal" };
function drawRoc() {
  const curves = Object.entries(data.roc ?? {});
  if (!$("roc") || !curves.length) return;
  const least = Math.min(0.1, ...curves.flatMap(([, c]) => c.false_alarm_rate.filter((v) => v > 0))), floor = Math.floor(Math.log10(least));
  const powers = []; for (let e = floor; e <= 0; e++) powers.push(10 ** e);
  const tenths = [0, 0.2, 0.4, 0.6, 0.8, 1], roc = new Chart("roc", "false-alarm rate", "detection rate");
  roc.axes((v) => 1 - Math.log10(Math.max(v, 10 ** floor)) / floor, powers, linear(0, 1), tenths);
  const precision = new Chart("precision", "detection rate (recall)", "precision");
  precision.axes(linear(0, 1), tenths, linear(0, 1), tenths);
  for (const [name, c] of curves) {
    roc.line(c.false_alarm_rate, c.detection_rate, ROC_KINDS[name] ?? "tail");
    precision.line(c.detection_rate, c.precision, ROC_KINDS[name] ?? "tail");
  }
}

// The charts that neither a cut nor a click changes, each drawn once.
function drawFixedCharts() {
  drawLosses();
  drawRoc();
}
