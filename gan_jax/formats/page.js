const element = (id) => document.getElementById(id);
const settings = JSON.parse(element("settings").textContent);
const [height, width, channels] = settings.shape;
const numClasses = settings.classes.length;

const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const floatsOf = (text) => new Float32Array(bytesOf(text).buffer);
const unpack = (id) => {
  const stream = new Blob([bytesOf(element(id).textContent)]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
};

const latents = floatsOf(settings.latents);
const directions = floatsOf(settings.directions);
const numLatents = latents.length / settings.features;
const row = (array, index) => array.subarray(index * settings.features, (index + 1) * settings.features);

// What is drawn: z = start + the sliders' part of the directions, and a class.
const state = { index: 0, start: row(latents, 0), label: 0 };

const latent = () => {
  const amounts = [Number(element("first").value), Number(element("second").value)];
  return state.start.map((value, i) =>
    amounts.reduce((sum, amount, k) => sum + amount * row(directions, k)[i], value));
};

// Images [n, height, width, channels] in [-1, 1] of n copies of z with these labels.
const generate = async (z, labels) => {
  const batch = labels.length;
  const copies = new Float32Array(batch * z.length);
  for (let i = 0; i < batch; i++) copies.set(z, i * z.length);
  const inputs = { z: new ort.Tensor("float32", copies, [batch, z.length]) };
  if (numClasses) inputs.labels = new ort.Tensor("int32", Int32Array.from(labels), [batch]);
  return (await session.run(inputs)).images.data;
};

const draw = (canvas, images, index) => {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  const first = index * height * width * channels;
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) {
      const value = images[first + i * channels + (channels === 3 ? c : 0)];
      pixels.data[4 * i + c] = Math.round((value + 1) * 127.5);
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
};

// One image at a time; if something changes meanwhile, once more.
let drawing = false;
let changed = false;
const redraw = async () => {
  changed = true;
  if (drawing) return;
  drawing = true;
  while (changed) {
    changed = false;
    const began = performance.now();
    const labels = numClasses ? settings.classes.map((_, label) => label) : [0];
    const images = await generate(latent(), labels);
    const shown = numClasses ? state.label : 0;
    draw(element("image"), images, shown);
    document.querySelectorAll("#classes canvas").forEach((canvas, label) => draw(canvas, images, label));
    const size = height * width * channels;
    window.drawn = { index: state.index, label: shown, pixels: Array.from(images.slice(shown * size, (shown + 1) * size)) };
    element("status").textContent = `${labels.length} images in ${Math.round(performance.now() - began)} ms`;
  }
  drawing = false;
};

const select = (label) => {
  state.label = label;
  document.querySelectorAll("#classes button").forEach((button, i) => button.setAttribute("aria-pressed", i === label));
  return redraw();
};

const another = () => {
  state.index = (state.index + 1) % numLatents;
  element("first").value = element("second").value = 0;
  return row(latents, state.index);
};

// Spherical interpolation: the vectors between two draws of a normal prior are as long as its draws (arXiv 1609.04468).
const between = (a, b, t) => {
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const angle = Math.acos(Math.min(1, Math.max(-1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)))));
  if (angle < 1e-3) return a.map((value, i) => (1 - t) * value + t * b[i]);
  const [of_a, of_b] = [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
  return a.map((value, i) => of_a * value + of_b * b[i]);
};

const walk = async () => {
  const from = latent();
  const to = another();
  const frames = 40;
  for (let frame = 1; frame <= frames; frame++) {
    state.start = frame === frames ? to : between(from, to, frame / frames);
    await redraw();
    await new Promise(requestAnimationFrame);
  }
};

let ort;
let session;
try {
  const module = URL.createObjectURL(new Blob([await unpack("runtime")], { type: "text/javascript" }));
  ort = await import(module);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unpack("wasm");
  session = await ort.InferenceSession.create(new Uint8Array(await unpack("model")), { executionProviders: ["wasm"] });
  settings.classes.forEach((name, label) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(document.createElement("canvas"), name);
    button.addEventListener("click", () => select(label));
    const item = document.createElement("li");
    item.append(button);
    element("classes").append(item);
  });
  element("first").addEventListener("input", redraw);
  element("second").addEventListener("input", redraw);
  element("next").addEventListener("click", () => { state.start = another(); redraw(); });
  element("walk").addEventListener("click", walk);
  await select(0);
} catch (error) {
  element("status").textContent = `This browser cannot draw: ${error}`;
  throw error;
}
