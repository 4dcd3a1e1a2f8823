// What the page carries: numbers, packed arrays, and the arithmetic of a cut.
const $ = (id) => document.getElementById(id);
// Arrays in the JSON are little-endian bytes in base64; what is not finite becomes null, as in JSON itself.
const KINDS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };
function bytesIn(text) {
  const letters = atob(text), out = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) out[i] = letters.charCodeAt(i);
  return out;
}
const numbersIn = ({ dtype, base64 }) => Array.from(new KINDS[dtype](bytesIn(base64).buffer), (v) => isFinite(v) ? v : null);
const data = JSON.parse($("data").textContent, (key, value) => value && value.base64 !== undefined ? numbersIn(value) : value);
const [low, high] = data.scale;
const span = Math.log1p(high - low) || 1;
const position = (score) => Math.log1p(Math.max(0, score - low)) / span;
const scoreAt = (place) => low + Math.expm1(place * span);
const shown = (value, digits = 4) => value === null || value === undefined || !isFinite(value) ? "–"
  : Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4) ? value.toExponential(2)
  : String(Number(value.toPrecision(digits)));
const counted = (value) => value >= 10 || value === Math.round(value) ? Math.round(value).toLocaleString("en") : value.toPrecision(2);

// The bytes of a packed array: base64, then zlib.
async function bytesOf(id) {
  const stream = new Blob([bytesIn($("blob-" + id).textContent)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// 16-bit levels from their two byte planes, the high one first.
function levelsOf(bytes) {
  const n = bytes.length / 2, out = new Uint16Array(n);
  for (let i = 0; i < n; i++) out[i] = (bytes[i] << 8) | bytes[n + i];
  return out;
}

// Floats from the planes of their first three bytes.
function floatsOf(bytes) {
  const n = bytes.length / 3, out = new Uint32Array(n);
  for (let i = 0; i < n; i++) out[i] = ((bytes[i] << 24) | (bytes[n + i] << 16) | (bytes[2 * n + i] << 8)) >>> 0;
  return new Float32Array(out.buffer);
}

// Signed numbers, each row of `wide` of them as bytes between minus and plus its largest size, which stands in `most`.
function signedOf(bytes, most, wide) {
  return Float32Array.from(bytes, (b, i) => ((b - 127) / 127) * most[Math.floor(i / wide)]);
}
// The largest float of four bytes below a value: what scores more than it scores at least the value.
function justBelow(value) {
  const float = new Float32Array([value]), bits = new Int32Array(float.buffer);
  if (float[0] === 0) return -1.401298464324817e-45;
  bits[0] += float[0] > 0 ? -1 : 1;
  return float[0];
}

// Index of the first entry of an ascending array that is greater than a value.
function firstAbove(array, value) {
  let a = 0, b = array.length;
  while (a < b) { const m = (a + b) >> 1; if (array[m] > value) b = m; else a = m + 1; }
  return a;
}

// Whole-scene count above a cut, and the false-alarm rate that the calibration gives it.
function countAbove(cut) {
  const { score, above } = data.curves, i = firstAbove(score, cut);
  return i < above.length ? above[i] : 0;
}
// With 95 %, no larger share of what scores above a cut is false.
function falseShareAt(cut) {
  const { score, false_share: share } = data.curves, i = firstAbove(score, cut);
  return i < share.length ? share[i] : null;
}
function rateAt(cut) {
  const { score, rate } = data.curves;
  if (!score.length) return null;
  const i = firstAbove(score, cut);
  if (i === 0) return rate[0];
  if (i >= score.length) return rate[score.length - 1];
  const [a, b] = [rate[i - 1], rate[i]];
  if (!(a > 0 && b > 0)) return b;
  const t = (cut - score[i - 1]) / (score[i] - score[i - 1] || 1);
  return Math.exp(Math.log(a) + t * (Math.log(b) - Math.log(a)));
}
