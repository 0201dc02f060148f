// Judges a quiz form when "Check" is pressed. Verdict and reasons go into its live region.
(() => {
  "use strict";
  const form = (event) => event.target.closest("form.quiz");

  function say(quiz, state, verdict, reasons = []) {
    const out = quiz.querySelector(".quiz-result");
    const head = document.createElement("strong");
    head.textContent = verdict;
    out.dataset.state = state;
    out.replaceChildren(head, ...reasons.map((nodes) => {
      const line = document.createElement("p");
      line.append(...nodes);
      return line;
    }));
  }

  function clear(quiz) {
    const out = quiz.querySelector(".quiz-result");
    out.replaceChildren();
    delete out.dataset.state;
  }

  const copy = (element) => [...element.cloneNode(true).childNodes];

  // "0,84", "0.84", "84 %" and a typographic minus are numbers; anything else is NaN.
  function parse(text, unit) {
    const percent = /%\s*$/.test(text);
    const plain = text.replace(/[\s%]/g, "").replace(",", ".").replace("\u2212", "-");
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
    return percent && unit !== "%" ? value / 100 : value;
  }

  function judgeNumber(quiz) {
    const box = quiz.elements.a;
    const value = parse(box.value, box.dataset.unit);
    if (Number.isNaN(value)) return say(quiz, "none", "Type one number, for example 0.5 or 0,5.");
    const hit = [...quiz.querySelectorAll(".quiz-why")].find((why) =>
      value >= Number(why.dataset.low) - 1e-9 && value <= Number(why.dataset.high) + 1e-9);
    if (hit && hit.dataset.ok === "1") return say(quiz, "right", "Correct.", [copy(hit)]);
    say(quiz, "wrong", "Not yet.", hit ? [copy(hit)] : [["Check the steps and try again."]]);
  }

  function judgeOptions(quiz) {
    const options = [...quiz.querySelectorAll(".quiz-option")].map((box) => ({
      input: box.querySelector("input"),
      text: box.querySelector(".quiz-text"),
      why: box.querySelector(".quiz-why"),
    }));
    const chosen = options.filter((o) => o.input.checked);
    if (!chosen.length) return say(quiz, "none", "Choose an answer first.");
    const right = (o) => o.input.dataset.ok === "1";
    const missing = options.filter((o) => right(o) && !o.input.checked).length;
    const many = quiz.dataset.kind === "many";
    const reasons = chosen.map((o) =>
      many ? [...copy(o.text), " \u2013 ", ...copy(o.why)] : copy(o.why));
    if (!missing && chosen.every(right)) return say(quiz, "right", "Correct.", reasons);
    if (many && missing) {
      reasons.push([missing === 1 ? "One right option is missing."
        : `${missing} right options are missing.`]);
    }
    say(quiz, "wrong", "Not yet.", reasons);
  }

  document.addEventListener("submit", (event) => {
    const quiz = form(event);
    if (!quiz) return;
    event.preventDefault();
    (quiz.dataset.kind === "number" ? judgeNumber : judgeOptions)(quiz);
  });
  // A verdict belongs to the answer it was given for.
  for (const kind of ["input", "reset"]) {
    document.addEventListener(kind, (event) => { const quiz = form(event); if (quiz) clear(quiz); });
  }
})();
