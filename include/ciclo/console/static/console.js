/* The console's few behaviours: the side panel, links out of Airflow's frame, the busy bar, running a Dag.
   Every page works without them, by ordinary links and forms. */
(() => {
  "use strict";
  const panel = document.getElementById("panel");
  let opener = null;

  /* -- the side panel ------------------------------------------------------------------------------------------ */

  function openPanel() {
    if (!panel.open) panel.show();
    document.body.classList.add("with-panel");
    panel.querySelector("h2")?.focus();
  }

  function closePanel() {
    if (!panel.open) return;
    panel.close();
    document.body.classList.remove("with-panel");
    panel.querySelector("#panel-content").replaceChildren();
    if (opener?.isConnected) opener.focus();
    opener = null;
    if (panel.dataset.stale) window.location.reload(); // an action changed what the page behind shows
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const source = event.detail.elt;
    if (event.detail.target?.id === "panel-content" && !panel.contains(source)) opener = source;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "panel-content") return;
    if (event.detail.requestConfig.verb === "post" && event.detail.successful !== false) panel.dataset.stale = "1";
    openPanel();
  });
  panel?.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) closePanel();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel?.open) closePanel();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    const act = keys[event.key] ?? (/^[1-9]$/.test(event.key) ? () => follow(`.tabs a:nth-of-type(${event.key})`) : null);
    if (!act) return;
    event.preventDefault();
    act();
  });

  /* -- keys, as the list under ? says --------------------------------------------------------------------------- */

  const keys = {
    "/": () => document.getElementById("search")?.focus(),
    "?": () => document.getElementById("keys")?.showModal(),
    "[": () => follow(".pager a[rel=prev]"),
    "]": () => follow(".pager a[rel=next]"),
    j: () => toRow(1),
    k: () => toRow(-1),
  };

  function follow(selector) {
    document.querySelector(selector)?.click();
  }

  function toRow(step) {
    const links = [...document.querySelectorAll("main tbody tr")].map((row) => row.querySelector("a")).filter(Boolean);
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
  }

  document.querySelector("[data-keys]")?.addEventListener("click", keys["?"]);

  /* -- links to Airflow's own pages: its frame lets no page inside navigate the whole window -------------------- */

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    try {
      const outside = window.parent.document.createElement("a");
      outside.href = link.href;
      window.parent.document.body.append(outside);
      outside.click();
      outside.remove();
      event.preventDefault();
    } catch {
      /* framed by somebody else: the link's own target has to do */
    }
  });

  /* -- a bar while the next page is on its way ------------------------------------------------------------------ */

  window.addEventListener("beforeunload", () => document.body.classList.add("busy"));
  window.addEventListener("pageshow", () => document.body.classList.remove("busy"));
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.detail.elt.matches("[data-quiet]")) document.body.classList.add("busy");
  });
  document.addEventListener("htmx:afterRequest", () => document.body.classList.remove("busy"));
  document.addEventListener("click", (event) => {
    if (event.target.closest("a[data-download]")) setTimeout(() => document.body.classList.remove("busy"), 500);
  });
  document.addEventListener("htmx:sendError", () => {
    const message = document.getElementById("offline");
    if (message) message.hidden = false;
  });

  /* -- filters apply as soon as one is chosen -------------------------------------------------------------------- */

  document.addEventListener("change", (event) => {
    if (event.target.matches("form[data-auto] select, form[data-auto] input[type=month], form[data-auto] input[type=date]"))
      event.target.form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "get") return;
    for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
    setTimeout(() => { for (const field of event.target.elements) field.disabled = false; });
  });

  /* -- a form that asks only for what the chosen kind takes ------------------------------------------------------- */

  function fit(form) {
    const kind = form.querySelector("select[data-chooses]").value;
    form.classList.add("fitted");
    for (const label of form.querySelectorAll("label[data-for]")) {
      label.hidden = !label.dataset.for.split(" ").includes(kind);
      for (const field of label.querySelectorAll("input, select")) field.disabled = label.hidden;
    }
  }
  const choosing = document.querySelectorAll("select[data-chooses]");
  for (const choice of choosing) choice.addEventListener("change", () => fit(choice.form));
  window.addEventListener("pageshow", () => choosing.forEach((choice) => fit(choice.form))); // as the browser restores it

  /* -- running a Dag, by Airflow's own API with the user's own session ------------------------------------------- */

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-run-dag]");
    if (!button) return;
    const answer = button.parentElement.querySelector("[role=status]");
    button.disabled = true;
    const words = document.body.dataset; // put into the reader's language by the page
    answer.textContent = words.starting;
    try {
      const response = await fetch(button.dataset.runDag, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ logical_date: null, conf: JSON.parse(button.dataset.conf) }),
      });
      const body = await response.json().catch(() => ({}));
      if (!response.ok) throw new Error(typeof body.detail === "string" ? body.detail : `${words.answered} ${response.status}`);
      answer.textContent = `${words.started} ${body.dag_run_id}`;
    } catch (error) {
      answer.textContent = `${words.notStarted} ${error.message}`;
      button.disabled = false;
    }
  });
})();
