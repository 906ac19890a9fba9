// The page without a server: reads photos, has the worker segment them, and shows the results.
const LARGEST = 12e6;  // pixels; larger photos are reduced, as phones lack the memory
const SHOWN = 1600;  // pixels of the longer side, of what is shown and of overlay files
const $ = (id) => document.getElementById(id);
const settings = await (await fetch("model.json")).json();
const worker = new Worker("worker.js", {type: "module"});
const waiting = new Map();
let number = 0;

const ready = new Promise((resolve, reject) => {
  worker.onerror = (event) => reject(new Error(event.message));
  worker.onmessage = ({data}) => {
    if (data.loaded !== undefined) progress(data.loaded);
    else if (data.ready) resolve(data.ready);
    else if (data.id === undefined) reject(new Error(data.error));
    else waiting.get(data.id)(data);
  };
});
worker.postMessage({settings});
ready.then(
  (device) => say(`Ready. It runs on the ${device === "webgpu" ? "GPU" : "CPU"} of this device.`),
  (error) => say(`The network could not be started: ${error.message}`, true));

$("classes").textContent = settings.summary;
for (const name of settings.examples) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(Object.assign(new Image(), {src: `examples/${name}.jpg`, alt: name}));
  button.onclick = async () => {
    const photo = await (await fetch(`examples/${name}.jpg`)).blob();
    show([new File([photo], `${name}.jpg`)]);
  };
  $("examples").append(button);
}
for (const input of [$("files"), $("camera")]) {
  input.onchange = () => { show([...input.files]); input.value = ""; };
}
document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  show([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => show([...event.clipboardData.files]));
for (const label of document.querySelectorAll("label[tabindex]")) {
  label.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") label.querySelector("input").click(); };
}
$("opacity").oninput = () => { for (const card of $("grid").querySelectorAll(".kd-card")) card.draw(); };
if (!navigator.mediaDevices?.getUserMedia) $("live").hidden = true;

function say(text, isWrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", isWrong);
  $("failures").replaceChildren();
  progress(null);
}

function progress(share) {
  $("progress").hidden = share === null || share >= 1;
  if (share !== null) $("progress").value = share;
}

async function segmented(image) {
  await ready;
  const id = ++number;
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  const {data, width, height} = image;
  worker.postMessage({id, pixels: data, width, height});
  const result = await answer;
  waiting.delete(id);
  if (result.error) throw new Error(result.error);
  return result;
}

async function show(files) {
  if (!files.length) return;
  await stop();
  $("grid").querySelector(".kd-empty")?.remove();
  const failures = [];
  let last;
  for (const [place, file] of files.entries()) {
    say(`Segmenting ${file.name} (${place + 1} of ${files.length}) …`);
    if (files.length > 1) progress(place / files.length);
    try {
      const image = await read(file);
      last = await segmented(image);
      const card = makeCard(file.name.replace(/\.\w+$/, ""), image, last);
      $("grid").prepend(card);
      document.querySelector("main").classList.add("done");
      if (!place) card.scrollIntoView({block: "nearest", behavior: "smooth"});
    } catch (error) {
      failures.push(`${file.name}: ${error.message}`);
    }
  }
  const done = last ? `${files.length - failures.length} of ${files.length} done, the last in ${last.seconds.toFixed(1)} s.` : "";
  say(done);
  $("failures").append(...failures.map((text) =>
    Object.assign(document.createElement("li"), {className: "wrong", textContent: text})));
  $("all").hidden = $("grid").childElementCount < 2;
}

async function read(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {colorSpaceConversion: "none", imageOrientation: "from-image"});
  } catch {
    throw new Error("This browser cannot read it as a photo. Convert it to JPEG or PNG.");
  }
  return levels(bitmap, Math.min(1, Math.sqrt(LARGEST / (bitmap.width * bitmap.height))));
}

function levels(source, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round((source.videoWidth || source.width) * scale));
  canvas.height = Math.max(1, Math.round((source.videoHeight || source.height) * scale));
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.fillStyle = "white";  // behind transparent pixels, as in Python
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// The photo with the colours of its labels, and white lines where labels change.
function blended({data, width, height}, labels) {
  const opacity = $("opacity").value / 100;
  const overlay = new ImageData(new Uint8ClampedArray(data), width, height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const label = labels[at];
      const border = (x + 1 < width && labels[at + 1] !== label) || (y + 1 < height && labels[at + width] !== label);
      const colour = border && opacity > 0 ? [255, 255, 255] : settings.palette[label];
      const share = border && opacity > 0 ? 1 : settings.clear === label ? 0 : opacity;
      for (let k = 0; k < 3; k++) overlay.data[at * 4 + k] += (colour[k] - data[at * 4 + k]) * share;
    }
  }
  return overlay;
}

function legend(labels) {
  const counts = new Array(settings.names.length).fill(0);
  for (const label of labels) counts[label]++;
  return [...counts.keys()]
    .filter((label) => counts[label] / labels.length >= 0.0005 && label !== settings.clear)
    .sort((one, other) => counts[other] - counts[one])
    .map((label) => {
      const item = document.createElement("li"), colour = document.createElement("i");
      colour.style.background = `rgb(${settings.palette[label]})`;
      item.append(colour, `${settings.names[label]} ${((counts[label] / labels.length) * 100).toFixed(1)} %`);
      return item;
    });
}

function painted(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Photo and labels, reduced for display.
function reduced(image, labels) {
  const scale = Math.min(1, SHOWN / Math.max(image.width, image.height));
  if (scale === 1) return {small: image, ids: labels};
  const small = levels(painted(image), scale);
  const ids = new Uint8Array(small.width * small.height);
  for (let y = 0, at = 0; y < small.height; y++) {
    const line = Math.floor(((y + 0.5) * image.height) / small.height) * image.width;
    for (let x = 0; x < small.width; x++, at++) {
      ids[at] = labels[line + Math.floor(((x + 0.5) * image.width) / small.width)];
    }
  }
  return {small, ids};
}

function makeCard(name, image, {labels, seconds}) {
  const {width, height} = image;
  const {small, ids} = reduced(image, labels);
  const card = document.createElement("figure");
  card.className = "kd-card";
  card.innerHTML = `<div class="kd-view"><input class="kd-cut" type="range" min="0" max="100" value="0"
    aria-label="Compare photo and overlay"><div class="kd-bar"></div><div class="kd-class"></div></div>
    <figcaption><div class="kd-name"><b></b><span></span></div><ul class="kd-legend"></ul>
    <p class="links"><a class="mask">Mask</a><a class="overlay">Overlay</a></p></figcaption>`;
  const view = card.querySelector(".kd-view");
  view.dataset.names = JSON.stringify(settings.names);
  const photo = Object.assign(painted(small), {className: "kd-photo"});
  const overlay = Object.assign(painted(small), {className: "kd-overlay"});
  const grey = new ImageData(small.width, small.height);
  ids.forEach((label, at) => grey.data.set([label, label, label, 255], at * 4));
  view.prepend(photo, overlay, Object.assign(painted(grey), {className: "kd-ids"}));
  card.querySelector("b").textContent = name;
  card.querySelector("span").textContent = `${width}×${height}, ${seconds.toFixed(1)} s`;
  const items = legend(labels);
  card.querySelector("ul").append(...(items.length ? items : ["none of the classes"]));
  card.draw = () => overlay.getContext("2d").putImageData(blended(small, ids), 0, 0);
  card.draw();
  card.files = [
    [`${name}_mask.png`, () => maskFile(labels, width, height)],
    [`${name}_overlay.png`, () => new Promise((resolve) => overlay.toBlob(resolve))],
  ];
  save(card.querySelector(".mask"), ...card.files[0]);
  save(card.querySelector(".overlay"), ...card.files[1]);
  return card;
}

save($("all"), "masks_and_overlays.zip", async () => {
  const files = new Map();
  for (const [place, card] of [...$("grid").children].reverse().entries()) {
    for (const [name, make] of card.files) {
      files.set(files.has(name) ? `${place + 1}_${name}` : name, await make());
    }
  }
  return zipFile(files);
});

// Files are made when they are asked for.
function save(link, name, make) {
  link.href = "#";
  link.onclick = async (event) => {
    event.preventDefault();
    const url = URL.createObjectURL(await make());
    Object.assign(document.createElement("a"), {href: url, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };
}

// A PNG whose pixel values are the label ids, with the mask colours as its palette.
async function maskFile(labels, width, height) {
  const lines = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) {
    lines.set(labels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const packed = new Blob([lines]).stream().pipeThrough(new CompressionStream("deflate"));
  const header = new Uint8Array([...word(width), ...word(height), 8, 3, 0, 0, 0]);
  return new Blob([
    new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk("IHDR", header),
    chunk("PLTE", new Uint8Array(settings.mask_palette.flat())),
    chunk("IDAT", new Uint8Array(await new Response(packed).arrayBuffer())),
    chunk("IEND", new Uint8Array()),
  ], {type: "image/png"});
}

// A zip archive of PNG files, which are compressed already.
async function zipFile(files) {
  const parts = [], directory = [];
  let at = 0;
  for (const [name, blob] of files) {
    const letters = new TextEncoder().encode(name);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    // Version, UTF-8 names, stored, 1 January 1980, CRC, both sizes, length of the name.
    const facts = [...short(20), ...short(0x800), ...short(0), ...short(0), ...short(33),
      ...word(checksum(bytes)).reverse(), ...word(bytes.length).reverse(), ...word(bytes.length).reverse(),
      ...short(letters.length), ...short(0)];
    const local = new Uint8Array([80, 75, 3, 4, ...facts, ...letters]);
    directory.push(new Uint8Array([80, 75, 1, 2, ...short(20), ...facts, ...short(0), ...short(0), ...short(0),
      ...word(0), ...word(at).reverse(), ...letters]));
    parts.push(local, bytes);
    at += local.length + bytes.length;
  }
  const size = directory.reduce((total, entry) => total + entry.length, 0);
  const end = [80, 75, 5, 6, ...word(0), ...short(files.size), ...short(files.size),
    ...word(size).reverse(), ...word(at).reverse(), ...short(0)];
  return new Blob([...parts, ...directory, new Uint8Array(end)], {type: "application/zip"});
}

function short(value) {
  return [value & 255, value >>> 8];
}

function word(value) {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function checksum(bytes) {
  let check = -1;
  for (const byte of bytes) {
    check ^= byte;
    for (let bit = 0; bit < 8; bit++) check = (check >>> 1) ^ (check & 1 ? 0xedb88320 : 0);
  }
  return ~check;
}

function chunk(kind, content) {
  const named = new Uint8Array([...new TextEncoder().encode(kind), ...content]);
  return new Blob([new Uint8Array(word(content.length)), named, new Uint8Array(word(checksum(named)))]);
}

// Live camera: the newest frame is segmented as soon as the last one is done.
let stream = null;

$("live").onclick = async () => {
  if (stream) return stop();
  try {
    stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: "environment"}});
  } catch (error) {
    return say(`The camera could not be opened: ${error.message}`, true);
  }
  const video = Object.assign(document.createElement("video"), {srcObject: stream, muted: true, playsInline: true});
  await video.play();
  $("live").textContent = "Stop the camera";
  $("stage").hidden = false;
  $("grid").querySelector(".kd-empty")?.remove();
  document.querySelector("main").classList.add("done");
  for (const running = stream; stream === running;) {
    try {
      const frame = levels(video, Math.min(1, 640 / Math.max(video.videoWidth, video.videoHeight)));
      const {labels, seconds} = await segmented(frame);
      if (stream !== running) break;
      $("screen").width = frame.width;
      $("screen").height = frame.height;
      $("screen").getContext("2d").putImageData(blended(frame, labels), 0, 0);
      $("seen").replaceChildren(...legend(labels));
      say(`${(1 / seconds).toFixed(1)} frames per second.`);
    } catch (error) {
      await stop();
      say(error.message, true);
    }
  }
};

async function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  $("live").textContent = "Live camera";
  $("stage").hidden = true;
}
