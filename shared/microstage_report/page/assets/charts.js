// Draws each chart where its place is; it takes the place's width, and takes it again when the window changes.
const LOOK = {
  renderer: "svg",
  actions: false,
  defaultStyle: false,
  tooltip: { theme: "custom", disableDefaultStyle: true },
};

for (const plot of document.querySelectorAll(".plot")) {
  const described = JSON.parse(plot.parentElement.querySelector("script").textContent);
  plot.replaceChildren();
  vegaEmbed(plot, described, LOOK).catch((error) => console.error(String(error)));
}
