// Pictures of charts become live charts when they come near; the library is fetched then, once.
(() => {
  const here = document.currentScript.src;
  const base = here.slice(0, here.lastIndexOf("js/charts.js"));
  const root = document.documentElement;
  const mode = () => (root.dataset.theme === "dark" ? "dark" : "light");

  const script = (name) => new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = base + name;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${name} did not load`));
    document.head.append(element);
  });
  let library;
  const load = () => (library ??= script("chart-config.js").then(() => script(window.her2Charts.library)));

  const specification = async (figure) => {
    const inline = figure.querySelector('script[type="application/json"]');
    if (inline) return JSON.parse(inline.textContent);
    if (location.protocol === "file:") throw new Error("a file:// page cannot fetch its specification");
    const answer = await fetch(figure.querySelector(".chart-spec a").href);
    return answer.json();
  };

  const live = new Map();
  const draw = async (figure) => {
    const spec = live.get(figure)?.spec ?? await specification(figure);
    await load();
    const box = live.get(figure)?.box ?? document.createElement("div");
    const own = spec.config ?? {};
    const result = await window.vegaEmbed(box, { ...spec, config: { ...window.her2Charts.config[mode()], ...own } }, { renderer: "svg", actions: false, tooltip: { theme: mode() } });
    live.get(figure)?.result.finalize();
    if (!live.has(figure)) {
      const picture = figure.querySelector("img");
      box.className = "chart-live";
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", picture.alt);
      figure.prepend(box);
      figure.classList.add("is-live");
    }
    box.querySelector("svg")?.setAttribute("aria-hidden", "true");
    live.set(figure, { spec, box, result });
  };
  // Where a chart cannot be made live its picture stays.
  const attempt = (figure) => draw(figure).catch((error) => { figure.dataset.failed = error.message; });

  const start = () => {
    const figures = document.querySelectorAll("figure.chart");
    if (!("IntersectionObserver" in window)) return;
    const near = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        near.unobserve(entry.target);
        attempt(entry.target);
      }
    }, { rootMargin: "200px" });
    figures.forEach((figure) => near.observe(figure));
    new MutationObserver(() => live.forEach((_, figure) => attempt(figure))).observe(root, { attributeFilter: ["data-theme"] });
  };
  // After the text: a reader sees words first.
  document.readyState === "complete" ? start() : addEventListener("load", start);
})();
