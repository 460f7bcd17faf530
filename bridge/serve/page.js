"use strict";
// Everything that comes from the service is put on the page as text; nothing here makes markup of a string.
(() => {
  const at = (id) => document.getElementById(id);
  const QUESTIONS = ["Which regions are highest?", "Which regions are lowest?", "Which organ systems are affected?", "What is the inheritance?"];
  const files = new Map(); // modality -> {id, ...}; id is null once a job has used the file
  const talks = new Map(); // report -> its questions and answers
  let about = null, limits = null, running = null, shown = null, coming = 0;

  const make = (tag, settings = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(settings)) {
      if (name === "class") element.className = value;
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const say = (text) => { at("trouble").textContent = text; };
  const reason = (error) => {
    if (error.name === "AbortError") return "Cancelled.";
    return error instanceof TypeError ? "The server does not answer; is bridge serve still running?" : error.message;
  };
  const size = (count) => (count >= 2 ** 30 ? `${(count / 2 ** 30).toFixed(1)} GiB` : count >= 2 ** 20 ? `${(count / 2 ** 20).toFixed(1)} MiB` : `${Math.ceil(count / 1024)} KiB`);
  const problem = async (response) => {
    try { return (await response.json()).error || `the server answered ${response.status}`; } catch { return `the server answered ${response.status}`; }
  };

  // A job: one request that stays open; closing it cancels the job.
  const follow = async (path, body, tell, signal, taken = () => {}) => {
    for (;;) {
      const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
      const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
      if (response.status === 429) {
        await pause(Number(response.headers.get("Retry-After")) || 5, tell, signal);
        continue;
      }
      if (response.ok || response.status === 404) taken(); // what was uploaded for it is the job's, or is gone
      if (!response.ok) throw new Error(await problem(response));
      return await last(response.body, tell);
    }
  };
  const last = async (stream, tell) => {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the connection to the server was lost");
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const [event, data] = text.slice(0, end).split("\n");
        text = text.slice(end + 2);
        const news = JSON.parse(data.slice("data: ".length));
        if (event === "event: end") return finished(news);
        tell(news);
      }
    }
  };
  const finished = (news) => {
    if (news.status !== 200) throw new Error(news.error);
    return news;
  };
  const pause = (seconds, tell, signal) => new Promise((resolve, reject) => {
    let left = seconds;
    const stop = () => { clearInterval(clock); reject(new DOMException("cancelled", "AbortError")); };
    const tick = () => {
      tell({ state: "full", left });
      if (left-- <= 0) { clearInterval(clock); signal.removeEventListener("abort", stop); resolve(); }
    };
    const clock = setInterval(tick, 1000);
    signal.addEventListener("abort", stop, { once: true });
    tick();
  });

  const told = (news) => {
    if (news.state === "full") return `The line is full; trying again in ${news.left} s`;
    if (news.state === "waiting") return news.place > 1 ? `Waiting: ${news.place} before you` : "Waiting: one before you";
    return news.step || "Starting";
  };
  const progress = (news) => {
    const step = told(news);
    if (at("step").textContent !== step) at("step").textContent = step;
    at("count").textContent = news.of ? `${news.tokens} of at most ${news.of} tokens` : "";
    if (news.of) { at("bar").max = news.of; at("bar").value = news.tokens; } else at("bar").removeAttribute("value");
  };
  const busy = (controller) => {
    running = controller;
    at("progress").hidden = controller === null;
    at("write").disabled = controller !== null;
  };

  // Input
  const source = () => document.querySelector("input[name=source]:checked").value;
  const switched = () => {
    at("example-part").hidden = source() !== "example";
    at("files-part").hidden = source() !== "files";
    say("");
  };
  const zone = (input) => {
    const id = `file-${input.modality}`;
    const file = make("input", { type: "file", id, "aria-describedby": `${id}-about` });
    const state = make("p", { class: "quiet", role: "status" }, "Drop a file here, or choose one");
    const bar = make("progress", { max: "1", value: "0", hidden: true, "aria-label": `Upload of ${input.modality}` });
    const sample = make("input", { id: `${id}-sample`, type: "text", autocomplete: "off", spellcheck: "false", maxlength: "200" });
    const which = make("div", { hidden: true }, make("label", { for: `${id}-sample` }, "Sample id, where the file holds several"), sample);
    const key = make("input", { id: `${id}-key`, type: "text", autocomplete: "off", spellcheck: "false", maxlength: "200", placeholder: "obsm:X_gene" });
    const table = make("div", { hidden: true }, make("label", { for: `${id}-key` }, "Table, where the file holds several"), key);
    const remove = make("button", { type: "button", hidden: true }, "Remove");
    const label = make("label", { for: id }, make("b", {}, input.modality));
    const area = make("div", { class: "drop", role: "group", "aria-label": input.modality }, label, make("span", { class: "quiet", id: `${id}-about` }, input.about), file, bar, make("div", { class: "row" }, state, remove), table, which);
    let turn = 0; // of two files that were chosen one after the other the second counts
    const clear = () => {
      turn += 1;
      const kept = files.get(input.modality);
      if (kept && kept.id) fetch(`/api/uploads/${kept.id}`, { method: "DELETE" });
      files.delete(input.modality);
      file.value = "";
      area.classList.remove("ready");
      bar.hidden = which.hidden = table.hidden = remove.hidden = true;
      sample.value = key.value = "";
      state.textContent = "Drop a file here, or choose one";
    };
    const take = async (given) => {
      clear();
      if (!given) return;
      say("");
      if (given.size > limits.file_bytes) { state.textContent = `${given.name}: ${size(given.size)}, expected at most ${size(limits.file_bytes)}`; return; }
      const mine = turn;
      bar.hidden = false;
      coming += 1;
      state.textContent = `Uploading ${given.name} (${size(given.size)})`;
      try {
        const send = () => upload(input.modality, given, (part) => { bar.value = part; });
        const { id, name } = await send();
        if (mine !== turn) { fetch(`/api/uploads/${id}`, { method: "DELETE" }); return; }
        files.set(input.modality, { id, sample, key, clear, send });
        state.textContent = `${name} (${size(given.size)})`;
        table.hidden = !/\.(h5ad|h5mu|npz)$/i.test(given.name);
        area.classList.add("ready");
        which.hidden = remove.hidden = false;
      } catch (error) {
        if (mine === turn) state.textContent = `${given.name}: ${error.message}`;
      } finally {
        coming -= 1;
        if (mine === turn) bar.hidden = true;
      }
    };
    file.addEventListener("change", () => take(file.files[0]));
    remove.addEventListener("click", () => { clear(); file.focus(); });
    for (const name of ["dragenter", "dragover"]) area.addEventListener(name, (event) => { event.preventDefault(); area.classList.add("over"); });
    for (const name of ["dragleave", "drop"]) area.addEventListener(name, () => area.classList.remove("over"));
    area.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
    return area;
  };
  const upload = (modality, file, tell) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/uploads/${encodeURIComponent(modality)}`);
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name.toWellFormed ? file.name.toWellFormed() : file.name));
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) tell(event.loaded / event.total); });
    request.addEventListener("load", () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* an answer that is no JSON has no text for people */ }
      if (request.status === 201) resolve(answer); else reject(new Error(answer.error || `the server answered ${request.status}`));
    });
    request.addEventListener("error", () => reject(new Error("the upload was interrupted; choose the file again")));
    request.send(file);
  });
  const wanted = async () => {
    const note = at("note").value;
    if (source() === "example") {
      if (!about.examples.includes(at("example").value.trim())) throw new Error("Choose one of the examples");
      return { example: at("example").value.trim(), note };
    }
    if (coming) throw new Error("A file is still coming in; wait until it is there");
    if (!files.size) throw new Error("Give at least one file");
    for (const file of files.values()) file.id ??= (await file.send()).id; // again, where a report that failed used it up
    const inputs = Object.fromEntries([...files].map(([modality, file]) => [modality, { upload: file.id, sample: file.sample.value.trim(), key: file.key.value.trim() }]));
    return { inputs, note };
  };

  // Reports
  const write = async (event) => {
    event.preventDefault();
    if (running) return;
    say("");
    try {
      const controller = new AbortController();
      busy(controller);
      progress({ state: "running", step: "Starting" });
      const body = await wanted();
      const done = await follow("/api/reports", body, progress, controller.signal, body.inputs ? used : undefined);
      if (body.inputs) for (const file of [...files.values()]) file.clear();
      await list();
      show(done);
    } catch (error) {
      say(reason(error));
    } finally { busy(null); }
  };
  const used = () => { // the server deletes them when the job ends
    for (const file of files.values()) file.id = null;
  };
  const list = async () => {
    const response = await fetch("/api/reports");
    if (!response.ok) throw new Error(await problem(response));
    const { reports } = await response.json();
    const done = reports.filter((report) => report.state === "done");
    at("made").hidden = !done.length;
    at("reports").replaceChildren(...done.map((report) => make("li", {}, make("button", { type: "button", "data-id": report.id, onclick: () => reopen(report.id) }, report.title))));
    return done;
  };
  const reopen = async (id) => {
    say("");
    try {
      const found = (await list()).find((report) => report.id === id);
      if (found) show(found); else say("This report is no longer there; it was deleted, or newer ones took its place.");
    } catch (error) { say(reason(error)); }
  };
  const show = (report) => {
    const path = `/api/reports/${report.id}`;
    if (shown !== report.id) {
      talks.set(shown, [...at("answers").childNodes]);
      at("answers").replaceChildren(...(talks.get(report.id) || []));
    }
    shown = report.id;
    at("empty").hidden = true;
    at("report").hidden = at("talk").hidden = false;
    at("title").textContent = report.title;
    at("whole").href = `${path}/page`;
    const frame = make("iframe", { id: "page", title: "Report", sandbox: "allow-scripts", src: `${path}/page` });
    at("page").replaceWith(frame); // a new one, as a second address in the same frame is a step that the browser goes back to
    for (const form of ["html", "markdown", "json"]) at(`get-${form}`).href = `${path}/${form}`;
    for (const button of at("reports").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.id === report.id));
    at("title").focus({ preventScroll: true });
    at("report").scrollIntoView({ block: "start", behavior: "instant" });
  };

  // Questions
  const number = (value, digits) => (value === null ? "unknown" : `${value >= 0 ? "+" : "\u2212"}${Math.abs(value).toFixed(digits)}`);
  const evidence = (each) => {
    if (each.value === null) return `listed for ${each.sample}: ${each.listed.join(", ") || "nothing"}`;
    const rank = each.rank === null ? "" : `, rank ${each.rank} of ${each.of}`;
    return `${each.feature}: ${Number(each.value.toPrecision(3))} ${each.units} (z ${number(each.z, 1)}${rank})`;
  };
  const claim = (each, struck) => {
    const verdict = make("span", { class: `mark ${each.verdict.replaceAll(" ", "-")}` }, each.verdict);
    const rest = each.evidence.map((one) => make("span", { class: "rest" }, evidence(one)));
    const confidence = each.confidence === null ? "" : `, confidence ${each.confidence.toFixed(2)}`;
    return make("li", {}, make(struck ? "s" : "span", {}, each.statement), " ", verdict, ...rest, make("span", { class: "rest" }, `${each.source}${confidence}`));
  };
  const answered = (answer) => {
    const parts = [];
    if (answer.not_in_input) parts.push(make("p", {}, `Not in the input: ${answer.not_in_input}.`));
    if (answer.unanswered) parts.push(make("p", {}, `No answer that stands: ${answer.unanswered}.`));
    if (answer.claims.length) parts.push(make("ul", {}, ...answer.claims.map((each) => claim(each, false))));
    if (answer.named.length) parts.push(make("h3", {}, "Measured or listed"), make("ul", {}, ...answer.named.map((each) => make("li", {}, evidence(each)))));
    if (answer.unknown.length) parts.push(make("h3", {}, "The input does not tell"), make("ul", {}, ...answer.unknown.map((each) => make("li", {}, each))));
    if (answer.struck.length) parts.push(make("h3", {}, "Struck: contradicts the input, or is not in it"), make("ul", {}, ...answer.struck.map((each) => claim(each, true))));
    return parts.length ? parts : [make("p", {}, "Nothing of the answer could be kept.")];
  };
  const ask = async (event) => {
    event.preventDefault();
    const question = at("question").value.trim(), button = at("ask").querySelector("button");
    if (!question || button.disabled) return;
    const box = make("div", { class: "told", "aria-busy": "true" }, make("p", { class: "quiet" }, "\u2026"));
    const report = shown;
    at("answers").append(make("p", { class: "asked" }, question), box);
    at("question").value = "";
    button.disabled = true;
    try {
      const tell = (news) => { box.firstChild.textContent = told(news) + (news.tokens ? `, ${news.tokens} tokens` : ""); };
      const done = await follow(`/api/reports/${report}/questions`, { question }, tell, new AbortController().signal);
      box.replaceChildren(...answered(done.answer));
    } catch (error) { box.replaceChildren(make("p", { class: "contradicted" }, reason(error))); }
    box.removeAttribute("aria-busy"); // an assistive technology reads the answer, not every step to it
    button.disabled = false;
    at("question").focus({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
  };

  const begin = async () => {
    const response = await fetch("/api/about");
    if (!response.ok) { say(await problem(response)); return; }
    ({ about, limits } = await response.json());
    at("bundle").textContent = `${about.bundle} · ${about.llm}`;
    at("note").maxLength = limits.note_characters;
    at("question").maxLength = limits.question_characters;
    at("examples").append(...about.examples.map((id) => make("option", { value: id })));
    at("suggested").append(...about.examples.slice(0, 6).map((id) => make("button", { type: "button", onclick: () => { at("example").value = id; at("write").focus(); } }, id)));
    at("questions").append(...QUESTIONS.map((text) => make("button", { type: "button", onclick: () => { at("question").value = text; at("ask").requestSubmit(); } }, text)));
    at("files-part").append(...about.inputs.map(zone));
    if (!about.examples.length) { at("source-files").checked = true; at("source-example").disabled = true; }
    switched();
    const done = await list();
    if (done.length) show(done[done.length - 1]);
  };
  for (const radio of document.querySelectorAll("input[name=source]")) radio.addEventListener("change", switched);
  at("order").addEventListener("submit", write);
  at("ask").addEventListener("submit", ask);
  at("cancel").addEventListener("click", () => { if (running) running.abort(); });
  at("forget").addEventListener("click", () => fetch("/api/session", { method: "DELETE" }).then(() => location.reload(), (error) => say(reason(error))));
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault()); // a file that misses its place does not replace the page
  begin().catch((error) => say(reason(error)));
})();
