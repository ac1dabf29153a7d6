// Words for the person: notes that stay until closed, and a status that only a screen reader speaks.

const notes = document.getElementById("notes");
const status = document.getElementById("status");

/** Add a line that stays. Plain text: names of files come from anybody. `about`: see `noting`. */
export function note(line, about = "") {
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
  item.dataset.about = about;
  list.append(item);
}

export function clearNotes() {
  notes.replaceChildren();
}

/** Do something, and note what the server refuses of it; `about`: until that succeeds, or is refused anew. */
export async function noting(work, about) {
  try {
    const done = await work();
    takeBack(about);
    return done;
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    takeBack(about);
    note(error.message, about);
    return undefined;
  }
}

function takeBack(about) {
  if (about) notes.querySelectorAll(`[data-about="${about}"]`).forEach((item) => item.remove());
  if (!notes.querySelector("li")) clearNotes();
}

export function speak(text) {
  status.textContent = text;
}
