// Draws the graphs: dagre says where nodes and edges lie, and SVG shows them. Text is only ever set as text.
function svg(name, attributes, parent, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

const LETTER = { label: 7.6, below: 6.8 }; // how wide a letter is, in units of the graph

function laidOut(graph) {
  const found = new dagre.graphlib.Graph().setGraph({
    rankdir: "TB",
    nodesep: 26,
    ranksep: 34,
    marginx: 16,
    marginy: 16,
  });
  found.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) {
    const wide = Math.max(node.label.length * LETTER.label, node.below.length * LETTER.below, 60);
    found.setNode(node.id, { ...node, width: wide + 30, height: 46, kind: node.width });
  }
  for (const [start, end] of graph.edges) found.setEdge(start, end);
  dagre.layout(found);
  return found;
}

function drawNode(node, parent) {
  const left = node.x - node.width / 2,
    top = node.y - node.height / 2;
  const group = svg("g", { class: "node" }, parent);
  svg("title", {}, group, node.told);
  svg("rect", { class: "body", x: left, y: top, width: node.width, height: node.height, rx: 7 }, group);
  svg("rect", { class: `width${node.kind}`, x: left, y: top, width: 8, height: node.height, rx: 4 }, group);
  svg("text", { x: left + 18, y: top + 20 }, group, node.label);
  svg("text", { class: "below", x: left + 18, y: top + 36 }, group, node.below);
}

function drawEdge(edge, parent, arrow) {
  const path = edge.points.map((point, at) => `${at ? "L" : "M"}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("");
  svg("path", { class: "edge", d: path, "marker-end": `url(#${arrow})` }, parent);
}

function drawGraph(figure, number) {
  const canvas = figure.querySelector(".canvas"),
    arrow = `arrow${number}`;
  const graph = laidOut(JSON.parse(figure.querySelector("script").textContent));
  const picture = svg("svg", { "aria-hidden": "true" }, canvas);
  const marker = svg(
    "marker",
    { id: arrow, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" },
    svg("defs", {}, picture),
  );
  svg("path", { class: "arrow", d: "M0 0L8 4L0 8z" }, marker);
  const all = svg("g", {}, picture);
  for (const edge of graph.edges()) drawEdge(graph.edge(edge), all, arrow);
  for (const node of graph.nodes()) drawNode(graph.node(node), all);
  for (const part of figure.querySelectorAll("[hidden]")) part.hidden = false;
  view(figure, canvas, all, graph.graph());
}
