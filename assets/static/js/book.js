// What every page does: fold code away, show definitions beside their terms, keep theme and charts in step.
(() => {
  const root = document.documentElement;
  const here = document.currentScript.src;
  const base = here.slice(0, here.lastIndexOf("js/book.js"));

  // --- code that folds away, remembered from page to page
  const fold = (hidden) => {
    root.classList.toggle("code-hidden", hidden);
    for (const button of document.querySelectorAll(".code-switch")) {
      const label = hidden ? "Show the code" : "Hide the code";
      button.setAttribute("aria-pressed", String(hidden));
      button.title = label;
      button.querySelector("span").textContent = label;
    }
  };

  // --- definitions
  let definitions;
  const load = () => (definitions ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = base + "glossary.js";
    script.onload = () => resolve(window.her2Glossary);
    script.onerror = () => resolve({});
    document.head.append(script);
  }));
  const tip = document.createElement("div");
  tip.id = "term-definition";
  tip.className = "term-definition";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  let current, leaving;
  const hide = () => {
    tip.hidden = true;
    current?.removeAttribute("aria-describedby");
    current = undefined;
  };
  const show = async (link, touched) => {
    clearTimeout(leaving);
    if (current && current !== link) hide();
    current = link;
    const words = decodeURIComponent(link.hash.replace(/^#term-/, "")).replace(/[-_]/g, " ").toLowerCase();
    const known = await load();
    const text = known[link.textContent.trim().toLowerCase()] ?? known[words] ?? known[words.replace(/ /g, "-")];
    if (!text || current !== link) return;
    tip.textContent = text;
    if (touched) {
      const more = document.createElement("a");
      more.href = link.href;
      more.textContent = "Open the glossary";
      tip.append(" ", more);
    }
    tip.hidden = false;
    link.setAttribute("aria-describedby", tip.id);
    const box = link.getBoundingClientRect();
    const width = Math.min(360, root.clientWidth - 16);
    tip.style.width = `${width}px`;
    const origin = tip.offsetParent?.getBoundingClientRect() ?? { left: -scrollX, top: -scrollY };
    tip.style.left = `${Math.max(8, Math.min(box.left, root.clientWidth - width - 8)) - origin.left}px`;
    const below = box.bottom + tip.offsetHeight + 12 < root.clientHeight;
    tip.style.top = `${(below ? box.bottom + 6 : box.top - tip.offsetHeight - 6) - origin.top}px`;
  };
  const terms = () => {
    const links = [...document.querySelectorAll("article a.reference.internal")].filter((a) => a.querySelector(".std-term"));
    if (!links.length) return;
    (document.querySelector("main") ?? document.body).append(tip);
    for (const link of links) {
      link.classList.add("term-link");
      let touch = false;
      link.addEventListener("pointerdown", (event) => { touch = event.pointerType === "touch"; });
      link.addEventListener("click", (event) => {
        if (!touch) return;
        event.preventDefault();
        show(link, true);
      });
      link.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") show(link); });
      link.addEventListener("pointerleave", () => { if (!touch) leaving = setTimeout(hide, 200); });
      link.addEventListener("focus", () => { if (!touch) show(link); });
      link.addEventListener("blur", () => { if (!touch) hide(); });
    }
    // A pointer may travel into the definition without losing it (WCAG 1.4.13).
    tip.addEventListener("pointerenter", () => clearTimeout(leaving));
    tip.addEventListener("pointerleave", hide);
    addEventListener("keydown", (event) => { if (event.key === "Escape" && !tip.hidden) hide(); });
    document.addEventListener("pointerdown", (event) => {
      if (!tip.hidden && !tip.contains(event.target) && !event.target.closest(".term-link")) hide();
    });
  };

  const start = () => {
    fold(root.classList.contains("code-hidden"));
    for (const button of document.querySelectorAll(".code-switch")) {
      button.addEventListener("click", () => {
        fold(!root.classList.contains("code-hidden"));
        try { localStorage.setItem("code", root.classList.contains("code-hidden") ? "hidden" : "shown"); } catch { /* not kept */ }
      });
    }
    terms();
    // Wide tables and code scroll inside their box: let a keyboard reach the box.
    for (const box of document.querySelectorAll(".cell_output, pre, .pst-scrollable-table-container, figure.chart")) {
      if (box.scrollWidth > box.clientWidth && !box.hasAttribute("tabindex")) box.tabIndex = 0;
    }
  };
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", start) : start();
})();
