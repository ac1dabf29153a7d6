// Words for the person: notes that stay until closed, and a status that only a screen reader speaks.

const notes = document.getElementById("notes");
const status = document.getElementById("status");

/** Add a line that stays. Plain text: names of files come from anybody. */
export function note(line) {
  let list = notes.querySelector("ul");
  if (!list) {
    list = document.createElement("ul");
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "✕";
    close.ariaLabel = "Close the notes";
    close.addEventListener("click", clearNotes);
    notes.append(list, close);
  }
  const item = document.createElement("li");
  item.textContent = line;
  list.append(item);
}

export function clearNotes() {
  notes.replaceChildren();
}

/** Do something, and note what the server refuses of it. */
export async function noting(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") note(error.message);
    return undefined;
  }
}

export function speak(text) {
  status.textContent = text;
}
