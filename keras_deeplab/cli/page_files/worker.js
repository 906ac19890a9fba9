// Runs the network: levels of a photo in, label of every pixel out. Resizing is that of Pillow and
// of keras_deeplab.inference, so that the masks are those of Python.
let settings, session;

addEventListener("message", async ({data}) => {
  try {
    if (data.settings) await open(data.settings);
    else await answer(data);
  } catch (error) {
    postMessage({id: data.id, error: String(error?.message ?? error)});
  }
});

async function open(given) {
  settings = given;
  const network = await download("network.onnx");
  const gpu = await navigator.gpu?.requestAdapter().catch(() => null);
  if (gpu) {
    try {
      return await start("webgpu", network);
    } catch (error) {
      console.warn("WebGPU failed, the CPU is used:", error);
    }
  }
  await start("wasm", network);
}

async function start(device, network) {
  const ort = await import(`./ort/ort.${device}.bundle.min.mjs`);
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
  ort.env.logLevel = "error";
  const opened = await ort.InferenceSession.create(network, {executionProviders: [device]});
  const [height, width] = settings.size;
  const grey = new Float32Array(height * width * 3).fill(127);
  session = {ort, opened, device};
  await run(grey);  // compiles the kernels
  postMessage({ready: device});
}

async function download(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: the host answers ${response.status}`);
  const total = settings.bytes;
  const parts = [];
  let received = 0;
  for (const reader = response.body.getReader(); ;) {
    const {done, value} = await reader.read();
    if (done) break;
    parts.push(value);
    postMessage({loaded: Math.min(1, (received += value.length) / total)});
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function run(levels) {
  const [height, width] = settings.size;
  const tensor = new session.ort.Tensor("float32", levels, [1, height, width, 3]);
  const result = (await session.opened.run({[session.opened.inputNames[0]]: tensor}))[
    session.opened.outputNames[0]];
  const scores = await result.getData();
  result.dispose();
  return scores;
}

async function answer({id, pixels, width, height}) {
  const start = performance.now();
  const [boxHeight, boxWidth] = settings.size;
  const scale = Math.min(boxHeight / height, boxWidth / width);
  const rows = Math.min(boxHeight, Math.max(1, even(height * scale)));
  const columns = Math.min(boxWidth, Math.max(1, even(width * scale)));
  const small = shrink(pixels, width, height, columns, rows);
  const levels = new Float32Array(boxHeight * boxWidth * 3).fill(127);
  for (let y = 0; y < rows; y++) {
    levels.set(small.subarray(y * columns * 3, (y + 1) * columns * 3), y * boxWidth * 3);
  }
  const labels = enlarge(await run(levels), boxWidth, rows, columns, height, width);
  const seconds = (performance.now() - start) / 1000;
  postMessage({id, labels, seconds, device: session.device}, [labels.buffer]);
}

// Python rounds halves to even numbers.
function even(value) {
  const whole = Math.round(value);
  return whole - value === 0.5 && whole % 2 ? whole - 1 : whole;
}

// Pillow's bilinear filter, which widens with the reduction: RGBA in, RGB out.
function shrink(pixels, width, height, columns, rows) {
  const across = filters(width, columns), down = filters(height, rows);
  const narrow = new Uint8ClampedArray(height * columns * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      const {first, weights} = across[x];
      let red = 0, green = 0, blue = 0;
      for (let k = 0, at = (y * width + first) * 4; k < weights.length; k++, at += 4) {
        red += weights[k] * pixels[at];
        green += weights[k] * pixels[at + 1];
        blue += weights[k] * pixels[at + 2];
      }
      const at = (y * columns + x) * 3;
      narrow[at] = Math.floor(red + 0.5);
      narrow[at + 1] = Math.floor(green + 0.5);
      narrow[at + 2] = Math.floor(blue + 0.5);
    }
  }
  const line = columns * 3;
  const small = new Uint8ClampedArray(rows * line);
  for (let y = 0; y < rows; y++) {
    const {first, weights} = down[y];
    for (let x = 0; x < line; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * narrow[(first + k) * line + x];
      small[y * line + x] = Math.floor(sum + 0.5);
    }
  }
  return small;
}

function filters(length, shorter) {
  const scale = length / shorter, reach = Math.max(1, scale);
  return Array.from({length: shorter}, (_, place) => {
    if (length === shorter) return {first: place, weights: [1]};
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const last = Math.min(length, Math.floor(centre + reach + 0.5));
    const weights = [];
    for (let at = first; at < last; at++) {
      weights.push(Math.max(0, 1 - Math.abs((at - centre + 0.5) / reach)));
    }
    const sum = weights.reduce((total, weight) => total + weight);
    return {first, weights: weights.map((weight) => weight / sum)};
  });
}

// The best class of every pixel of the photo, from bilinear interpolation of the scores.
function enlarge(scores, stride, rows, columns, height, width) {
  const classes = settings.names.length;
  const able = contenders(scores, stride, rows, columns, classes);
  const labels = new Uint8Array(height * width).fill(able[0]);
  if (able.length === 1) return labels;
  const across = taps(columns, width), down = taps(rows, height);
  const best = new Float32Array(width), line = new Float32Array(columns);
  for (let y = 0; y < height; y++) {
    const {low, high, weight} = down[y];
    able.forEach((label, turn) => {
      for (let x = 0; x < columns; x++) {
        const top = scores[(low * stride + x) * classes + label];
        line[x] = top + (scores[(high * stride + x) * classes + label] - top) * weight;
      }
      for (let x = 0; x < width; x++) {
        const tap = across[x];
        const value = line[tap.low] + (line[tap.high] - line[tap.low]) * tap.weight;
        if (!turn || value > best[x]) {
          best[x] = value;
          labels[y * width + x] = label;
        }
      }
    });
  }
  return labels;
}

// The classes that are the best of any pixel, or are not below one of those everywhere.
function contenders(scores, stride, rows, columns, classes) {
  const wins = new Array(classes).fill(false);
  const below = Array.from({length: classes}, () => new Array(classes).fill(true));
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const at = (y * stride + x) * classes;
      let best = 0;
      for (let label = 1; label < classes; label++) {
        if (scores[at + label] > scores[at + best]) best = label;
      }
      wins[best] = true;
    }
  }
  const winners = [...wins.keys()].filter((label) => wins[label]);
  if (winners.length === 1) return winners;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const at = (y * stride + x) * classes;
      for (const winner of winners) {
        for (let label = 0; label < classes; label++) {
          if (scores[at + label] >= scores[at + winner]) below[label][winner] = false;
        }
      }
    }
  }
  return [...wins.keys()].filter(
    (label) => wins[label] || !winners.some((winner) => below[label][winner]));
}

function taps(length, longer) {
  return Array.from({length: longer}, (_, place) => {
    const source = Math.min(length - 1, Math.max(0, ((place + 0.5) * length) / longer - 0.5));
    const low = Math.floor(source);
    return {low, high: Math.min(low + 1, length - 1), weight: source - low};
  });
}
