// Draws what the Markdown extension marked as mathematics, without a network.
document.querySelectorAll(".arithmatex").forEach((place) =>
  renderMathInElement(place, {
    delimiters: [
      { left: "\\(", right: "\\)", display: false },
      { left: "\\[", right: "\\]", display: true },
    ],
  }),
);
