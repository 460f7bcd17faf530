(() => {
  const buttons = [...document.querySelectorAll(".claim > button")];
  const set = (button, open) => {
    button.setAttribute("aria-expanded", String(open));
    button.parentElement.classList.toggle("open", open);
    button.parentElement.classList.toggle("dismissed", !open);
  };
  document.documentElement.classList.add("scripted");
  for (const button of buttons) {
    const claim = button.parentElement;
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => set(button, !claim.classList.contains("open")));
    for (const left of ["mouseleave", "focusout"]) claim.addEventListener(left, () => claim.classList.remove("dismissed"));
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") buttons.forEach((button) => set(button, false));
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
})();
