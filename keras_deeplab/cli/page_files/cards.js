// The class under the pointer, and the slider between photo and overlay, for cards of both pages.
const readers = new WeakMap();

function classAt(event) {
  const view = event.target.closest?.(".kd-view");
  if (!view) return;
  let reader = readers.get(view);
  if (!reader) {
    const ids = view.querySelector(".kd-ids");
    const canvas = document.createElement("canvas");
    canvas.width = ids.naturalWidth || ids.width;
    canvas.height = ids.naturalHeight || ids.height;
    reader = canvas.getContext("2d", {willReadFrequently: true});
    reader.drawImage(ids, 0, 0);
    readers.set(view, reader);
  }
  const box = view.getBoundingClientRect();
  const {width, height} = reader.canvas;
  // The photo is fitted into the view.
  const scale = Math.min(box.width / width, box.height / height);
  const x = Math.floor((event.clientX - box.left - (box.width - width * scale) / 2) / scale);
  const y = Math.floor((event.clientY - box.top - (box.height - height * scale) / 2) / scale);
  const inside = x >= 0 && y >= 0 && x < width && y < height;
  const name = inside ? JSON.parse(view.dataset.names)[reader.getImageData(x, y, 1, 1).data[0]] : "";
  view.querySelector(".kd-class").textContent = name || "";
}

document.addEventListener("pointermove", classAt);
document.addEventListener("pointerdown", classAt);
document.addEventListener("input", (event) => {
  if (!event.target.matches?.(".kd-cut")) return;
  event.target.closest(".kd-view").style.setProperty("--cut", `${event.target.value}%`);
});
