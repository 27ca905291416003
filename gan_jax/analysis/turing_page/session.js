"use strict";
const element = (id) => document.getElementById(id);
const page = JSON.parse(element("data").textContent);
// Encoded so that nobody reads it by accident; it is no secret.
const truths = JSON.parse(atob(page.key));
const images = page.images.map((source) => Object.assign(new Image(), { src: source, alt: "The image to judge" }));
const answers = [];
const TOO_SOON = 200;  // Milliseconds in which nobody judges an image: the second half of a double click.
let phase = "start", shownAt = 0;

/** Whole screen pixels for each of the image's own: squares of one size, never blurred. */
function fit() {
  const image = images[answers.length - (phase === "verdict" ? 1 : 0)];
  if (!image || element("question").hidden) return;
  const space = Math.min(element("frame").clientWidth, element("frame").clientHeight);
  const largest = Math.max(image.naturalWidth, image.naturalHeight), ratio = window.devicePixelRatio || 1;
  const scale = Math.max(1, Math.floor(space * ratio / largest)) / ratio;
  image.style.width = `${image.naturalWidth * scale}px`;
  image.style.height = `${image.naturalHeight * scale}px`;
}

function ask() {
  if (answers.length === images.length) return finish();
  phase = "asking";
  element("verdict").textContent = "";
  element("progress").textContent = `Image ${answers.length + 1} of ${images.length}`;
  element("bar").value = answers.length;
  element("onward").hidden = true;
  element("choices").hidden = false;
  element("frame").replaceChildren(images[answers.length]);
  fit();
  shownAt = performance.now();
}

function answer(given) {
  const milliseconds = Math.round(performance.now() - shownAt), truth = truths[answers.length];
  if (milliseconds < TOO_SOON) return;
  answers.push({ index: answers.length, truth, answer: given, milliseconds });
  if (!element("feedback").checked) return ask();
  phase = "verdict";
  const right = given === truth, kind = truth === "real" ? "real" : "generated";
  element("verdict").className = right ? "right" : "wrong";
  element("verdict").textContent = right ? `Right: it is ${kind}.` : `Wrong: it is ${kind}.`;
  element("choices").hidden = true;
  element("onward").hidden = false;
  element("next").textContent = answers.length === images.length ? "See the result" : "Next";
  element("next").focus();
  shownAt = performance.now();
}

function next() {
  if (performance.now() - shownAt < TOO_SOON) return;
  element("asked").focus();
  ask();
}

function scored(list) {
  const right = list.filter((one) => one.answer === one.truth).length;
  return { right, total: list.length, share: right / list.length, interval: wilsonInterval(right, list.length) };
}

function summary() {
  const all = scored(answers);
  return {
    all, real: scored(answers.filter((one) => one.truth === "real")),
    fake: scored(answers.filter((one) => one.truth === "fake")), p_value: binomialPValue(all.right, all.total),
  };
}

function finish() {
  phase = "done";
  const result = summary(), p = result.p_value;
  element("question").hidden = true;
  element("result").hidden = false;
  element("caution").hidden = !element("feedback").checked;
  element("summary").textContent = meaning(result.all.right, result.all.total);
  for (const [name, part] of [["All", result.all], ["Real", result.real], ["Generated", result.fake]]) {
    const row = element("rows").insertRow(), title = document.createElement("th");
    title.scope = "row";
    title.textContent = name;
    row.append(title);
    const [low, high] = part.interval.map(percent);
    for (const text of [`${part.right} of ${part.total}`, percent(part.share), `${low} to ${high}`]) {
      row.insertCell().textContent = text;
    }
  }
  const calledReal = answers.filter((one) => one.answer === "real").length;
  element("test").textContent = `Exact two-sided binomial test against guessing: p ${p < 1e-4 ? "< 0.0001" :
    "= " + p.toFixed(4)}. You called ${calledReal} of ${answers.length} images real. Intervals: Wilson.`;
  element("heading").focus();
}

function save() {
  const record = { provenance: page.provenance, feedback: element("feedback").checked, result: summary(), answers };
  const url = URL.createObjectURL(new Blob([JSON.stringify(record, null, 2) + "\n"], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: page.download });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);  // Some browsers read it after the click has returned.
}

const KEYS = { r: "real", arrowleft: "real", f: "fake", arrowright: "fake" };
document.addEventListener("keydown", (event) => {
  // A key that is held down is one answer.
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const given = KEYS[event.key.toLowerCase()];
  if (phase === "asking" && given) {
    event.preventDefault();
    answer(given);
  } else if (phase === "verdict" && ["Enter", " "].includes(event.key) && event.target.tagName !== "BUTTON") {
    event.preventDefault();
    next();
  }
});
element("real").addEventListener("click", () => answer("real"));
element("fake").addEventListener("click", () => answer("fake"));
element("next").addEventListener("click", next);
element("save").addEventListener("click", save);
element("begin").addEventListener("click", () => {
  element("start").hidden = true;
  element("question").hidden = false;
  shownAt = -TOO_SOON;
  next();
});
window.addEventListener("resize", fit);
element("bar").max = images.length;
element("feedback").checked = page.feedback;
// Decoded beforehand: an answer's time is the reader's, and no old image stands under a new number.
Promise.all(images.map((image) => image.decode())).then(
  () => { element("begin").disabled = false; },
  () => { element("trouble").textContent = "An image of this page is damaged; write the page again."; },
);
