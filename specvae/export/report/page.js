// The page: threshold, map, spectra and table put together.
const bands = data.bands.length;
let cut = data.threshold, map = null, shownPixels, shownCases = null; // spectra, expectations and contributions of each

// Slider: position 0 is a cut that half of all exceed, 1000 one that none does; between, even steps of the curve.
const curve = data.curves.score.map((v, i) => [v, data.curves.above[i]]).filter(([, n]) => n <= 0.5 * data.valid).map(([v]) => v);
const cutAt = (slide) => {
  if (!curve.length) return data.threshold ?? high;
  const x = (slide / 1000) * (curve.length - 1), i = Math.min(curve.length - 1, Math.floor(x)), next = curve[Math.min(curve.length - 1, i + 1)];
  return slide >= 1000 ? curve[curve.length - 1] : curve[i] + (x - i) * (next - curve[i]);
};
const slideAt = (value) => {
  if (curve.length < 2) return 0;
  const i = firstAbove(curve, value);
  if (i <= 0) return 0;
  if (i >= curve.length) return 1000;
  return (1000 * (i - 1 + (value - curve[i - 1]) / (curve[i] - curve[i - 1]))) / (curve.length - 1);
};

function areaOf(pixels) {
  if (!data.area) return "";
  const square = pixels * data.area;
  return square >= 1e5 ? ` (${shown(square / 1e6, 3)} km²)` : ` (${shown(square, 3)} m²)`;
}

const falseWords = (share) => share === null || share === undefined ? "" : share > 0.995 ? "; all of them may be false" : `; with 95 % at most ${shown(100 * share, 2)} % of them are false`;
// Counts are known at the edges of the bins that scores were counted in: another cut moves to just below the next edge, where
// the count is that of the command beside it.
function snapped(value) {
  if (value === data.threshold) return value;
  const { score } = data.curves, i = firstAbove(score, value), last = score[score.length - 1];
  if (!score.length) return value;
  return i < score.length ? justBelow(score[i]) : Math.fround(last + 0.02 * Math.abs(last) + 1e-6);
}
function setCut(wanted, fromSlider) {
  const value = snapped(wanted), reported = value === data.threshold;
  cut = value;
  const above = reported && data.anomalous !== undefined ? data.anomalous : countAbove(value), rate = reported ? data.rate : rateAt(value);
  const counts = $("counts"), strong = document.createElement("b");
  strong.textContent = above.toLocaleString("en");
  const expectedWords = rate === null || rate === undefined ? "" : `; about ${counted(rate * data.valid)} expected if all were normal`;
  counts.replaceChildren(strong, ` ${data.noun} above${areaOf(above)}`, expectedWords, falseWords(reported ? data.falseShare : falseShareAt(value)));
  sayCut(value, reported, above, expectedWords);
  $("nats").value = Number(value.toPrecision(7));
  if (!fromSlider) $("slider").value = slideAt(value);
  $("slider").setAttribute("aria-valuetext", `${shown(value)} nats, ${above} ${data.noun} above`);
  if (map) map.cut(value);
  drawSurvival(value);
  drawHistogram(value);
}

// What else on the page depends on the cut: the headline, the command, the rows that reach it, and what to do.
const reportedClaim = document.querySelector(".claim").textContent;
function sayCut(value, reported, above, expectedWords) {
  const text = Number(value).toPrecision(9).replace(/\.?0+$/, "");
  document.querySelector(".claim").textContent = reported ? reportedClaim
    : `At a threshold of ${shown(value)} nats: ${above.toLocaleString("en")} of ${data.valid.toLocaleString("en")} valid ${data.noun} are anomalous${expectedWords}. This page was made at ${data.threshold === null ? "no threshold" : shown(data.threshold) + " nats"}.`;
  $("again").hidden = reported;
  $("command").textContent = data.command.replace("CUT", text).replace("at-CUT", `at-${text}`);
  const rows = [...document.querySelectorAll("#cases tbody tr")];
  let reaching = 0;
  for (const row of rows) {
    const below = !reported && !(data.cases[Number(row.dataset.case)].peak > value);
    row.classList.toggle("below", below);
    reaching += !below;
  }
  if ($("reach")) $("reach").textContent = reported ? "" : map
    ? `${reaching.toLocaleString("en")} of these ${rows.length.toLocaleString("en")} objects reach above ${shown(value)} nats. Objects are those of the reported threshold: at another one they grow, shrink or part, and the command below the slider writes them.`
    : `${reaching.toLocaleString("en")} of these ${rows.length.toLocaleString("en")} rows lie above ${shown(value)} nats.`;
  $("nothing").hidden = above > 0;
  $("everything").hidden = above < 0.5 * data.valid;
}

const rowOf = (array, i) => array.subarray(i * bands, (i + 1) * bands);
function chooseCase(i) {
  for (const row of document.querySelectorAll("#cases tbody tr")) row.classList.toggle("chosen", Number(row.dataset.case) === i);
  const here = data.cases[i], spectra = data.caseSpectra, title = document.querySelector(`#cases tr[data-case="${i}"] td`).textContent;
  $("which").textContent = !map ? `Row ${title}` : here.pixels === 1 ? `Object ${title}, its one ${data.one}` : `Object ${title}, mean of its ${here.pixels.toLocaleString("en")} ${data.noun}`;
  if (shownCases && i < spectra.score.length) drawPixel(shownCases, i, spectra, map && here.pixels > 1 ? "mean score" : "score");
  else $("about").textContent = "The spectra of the first objects only are in this page.";
  if (map) {
    map.mark = here.box.map((v) => v / map.step);
    map.draw();
  }
}

// One spectrum with both expectations and its bars: the same for an object's means, a row and a clicked pixel.
function drawPixel({ observed, expected, contribution }, i, facts, what) {
  const three = [observed, expected, contribution].map((array) => rowOf(array, i));
  drawSpectrum(three[0], three[1]);
  drawDrivers(three[2], three[0], three[1]);
  $("about").textContent = `${what} ${shown(facts.score[i])} nats, of which KL ${shown(facts.kl[i], 3)}. The bars add up to it.`;
}

const sampleAt = new Map(), named = data.one[0].toUpperCase() + data.one.slice(1);
function chooseSample(i, name) {
  const s = data.samples;
  $("which").textContent = name;
  drawPixel(shownPixels, i, s, "score");
}

function picked([row, col]) {
  const { step } = map, top = row * step, left = col * step;
  const level = map.levels[row * map.width + col];
  if (level && scoreAt((level - 1) / 65534) > Math.min(cut, data.threshold ?? cut)) {
    const i = data.cases.findIndex(({ box: b }) => top + step > b[0] && left + step > b[1] && top < b[2] && left < b[3]);
    if (i >= 0) chooseCase(i); // every pixel's own spectrum is shown where it is here
    if (i >= 0 && (data.sampleStep > 1 || step > 1)) return;
  }
  const k = data.sampleStep, near = (v, s) => k * Math.round((v + (s - 1) / 2) / k);
  // The sample lies on a lattice: the click shows the spectrum of the lattice's pixel nearest to it.
  const sample = sampleAt.get(near(top, step) * data.cols + near(left, step));
  if (sample === undefined) { $("about").textContent = `No spectrum of this ${data.one} is in this page; try beside it, or an object.`; return; }
  const r = data.samples.row[sample], c = data.samples.col[sample];
  chooseSample(sample, `${named} in row ${r}, column ${c}`);
  map.mark = [r, c, r + 1, c + 1].map((v) => v / step);
  map.draw();
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, k) => head.firstChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") === "descending";
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[k].dataset.value, number = (text) => text === "" ? -Infinity : Number(text);
    const textual = [...body.rows].some((row) => value(row) !== "" && isNaN(Number(value(row))));
    const compare = textual ? (p, q) => value(p).localeCompare(value(q)) : (p, q) => number(value(p)) - number(value(q));
    body.append(...[...body.rows].sort((p, q) => (up ? compare(p, q) : compare(q, p))));
  }));
  body.addEventListener("click", (e) => {
    const row = e.target.closest("tr");
    if (!row) return;
    const i = Number(row.dataset.case);
    chooseCase(i);
    if (map) map.goTo(map.mark);
    // On a phone the spectrum stands below the map: both come into view where both fit, else the spectrum.
    const view = document.querySelector(".view"), panel = $("which").closest(".panel");
    (view.offsetHeight <= window.innerHeight ? view : panel).scrollIntoView({ block: "start" });
  });
}

// A long table shows its first rows until all are asked for; printed, or without a script, it shows all of them.
function folded(table) {
  const most = 25, button = $("all");
  if (table.tBodies[0].rows.length <= most) return;
  table.classList.add("folded");
  button.hidden = false;
  button.addEventListener("click", () => { table.classList.remove("folded"); button.hidden = true; });
}

async function openMap() {
  const image = new Image();
  image.src = "data:image/jpeg;base64," + $("blob-composite").textContent;
  const [score, kl] = await Promise.all([bytesOf("score"), bytesOf("kl"), image.decode()]);
  map = new SceneMap($("map"), levelsOf(score), kl, image);
  map.picked = picked;
  const ramp = $("ramp").getContext("2d");
  for (let x = 0; x < 256; x++) { ramp.fillStyle = `rgb(${viridis(x / 255).join()})`; ramp.fillRect(x, 0, 1, 1); }
  $("low").textContent = "≤ " + shown(map.range[0], 3); $("high").textContent = "≥ " + shown(map.range[1], 3);
  for (const radio of document.querySelectorAll("input[name=layer]")) radio.addEventListener("change", () => { map.layer = radio.value; map.draw(); });
  $("flags").addEventListener("change", (e) => { map.flags = e.target.checked; map.draw(); });
  $("closer").addEventListener("click", () => map.scale(1.6)); $("farther").addEventListener("click", () => map.scale(1 / 1.6)); $("whole").addEventListener("click", () => map.fit());
}

async function shownOf(kind, { most }) {
  const [observed, expected, contribution] = await Promise.all(["observed", "expected", "contribution"].map((name) => bytesOf(kind + name)));
  return { observed: floatsOf(observed), expected: floatsOf(expected), contribution: signedOf(contribution, most, bands) };
}

async function open() {
  $("slider").addEventListener("input", (e) => setCut(cutAt(Number(e.target.value)), true));
  $("nats").addEventListener("change", (e) => { const v = Number(e.target.value); if (isFinite(v)) setCut(v); });
  $("copy").addEventListener("click", () => navigator.clipboard?.writeText($("command").textContent));
  $("reset").addEventListener("click", () => setCut(data.threshold ?? high));
  if ($("cases")) { sortable($("cases")); folded($("cases")); }
  drawFixedCharts();
  if (data.picture) await openMap();
  setCut(data.threshold ?? high);
  shownPixels = await shownOf("", data.samples);
  data.samples.row.forEach((r, i) => sampleAt.set(r * data.cols + data.samples.col[i], i));
  if (data.caseSpectra) shownCases = await shownOf("case-", data.caseSpectra);
  if (data.cases.length) chooseCase(0); else if (data.samples.row.length) chooseSample(0, map ? `${named} in row ${data.samples.row[0]}, column ${data.samples.col[0]}` : `Row ${data.samples.row[0]}`);
  performance.mark("ready");
  document.body.dataset.ready = "yes";
}
open().catch((error) => { $("counts").textContent = "This page could not be drawn: " + error.message; console.error(error); });
