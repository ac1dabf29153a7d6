// Model, saturation, vividness: how photos are colored unless somebody says otherwise.

const element = (id) => document.getElementById(id);
const [model, saturation, vividness] = ["model", "saturation", "vividness"].map(element);

let about;

/** Fill the fields from what the server offers; `onChange` is called when one changes. */
export function offer(offered, onChange) {
  about = offered;
  for (const { name } of about.models) model.add(new Option(name));
  for (const ending of about.endings) element("format").add(new Option(ending.slice(1).toUpperCase(), ending));
  saturation.max = about.max_saturation;
  vividness.max = about.max_vividness;
  model.value = about.model;
  saturation.value = about.saturation;
  takeVividness();
  model.addEventListener("change", () => {
    takeVividness();
    onChange();
  });
  saturation.addEventListener("input", onChange);
  vividness.addEventListener("change", onChange); // asks the network: only when let go
  for (const range of document.querySelectorAll(".field input[type=range]")) {
    const output = range.parentElement.querySelector("output");
    const say = () => (output.value = range.value);
    range.addEventListener("input", say);
    say();
  }
}

/** What the server is to color with. */
export const look = () => ({
  model: model.value,
  vividness: vividness.value,
  saturation: saturation.value,
});

/** Whether the model draws its colours, so that there are several to choose from. */
export const draws = () => about.models.find(({ name }) => name === model.value).draws;

export const format = () => element("format").value;

/** All that could color a part instead. */
export function alternatives() {
  const { saturation } = look();
  return about.models.flatMap(({ name, vividness }) =>
    (vividness === null ? [0] : [0, 0.5, 1]).map((value) => ({ model: name, vividness: value, saturation })),
  );
}

/** Offer the vividness of the model, at its own value. */
function takeVividness() {
  const own = about.models.find(({ name }) => name === model.value).vividness;
  element("vividness-field").hidden = own === null;
  vividness.value = own ?? 0;
  vividness.dispatchEvent(new Event("input"));
}
