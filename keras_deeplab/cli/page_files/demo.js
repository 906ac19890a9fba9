// Two more ways to fill Gradio's file input: the camera of a phone, and the example photos.
document.addEventListener("click", async (event) => {
  const shoot = event.target.closest?.(".kd-shoot"), example = event.target.closest?.(".kd-example");
  const input = document.querySelector(".kd-controls input[type=file]");
  if (!input) return;
  if (shoot) {
    input.capture = "environment";
    input.click();
    input.removeAttribute("capture");
  } else if (example) {
    const content = await (await fetch(example.querySelector("img").src)).blob();
    const files = new DataTransfer();
    files.items.add(new File([content], example.dataset.name, {type: content.type}));
    input.files = files.files;
    input.dispatchEvent(new Event("change", {bubbles: true}));
  }
});
