// Moves and zooms a graph within its canvas: by buttons, keys, mouse, wheel with Ctrl, and two fingers.
// One finger scrolls the page up and down, and moves the graph sideways.
function view(figure, canvas, all, size) {
  let x = 0,
    y = 0,
    scale = 1;
  const SMALLEST = 0.04,
    LARGEST = 4,
    STEP = 1.25,
    MOVE = 60;
  const show = () => all.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
  const middle = () => [canvas.clientWidth / 2, canvas.clientHeight / 2];

  function zoom(by, [atX, atY] = middle()) {
    const next = Math.min(LARGEST, Math.max(SMALLEST, scale * by));
    x = atX - ((atX - x) * next) / scale;
    y = atY - ((atY - y) * next) / scale;
    scale = next;
    show();
  }
  function move(right, down) {
    x += right;
    y += down;
    show();
  }
  function place(next, top) {
    scale = next;
    x = (canvas.clientWidth - size.width * scale) / 2;
    y = top ? 0 : (canvas.clientHeight - size.height * scale) / 2;
    show();
  }
  const fitting = () => Math.min(1, canvas.clientWidth / size.width, canvas.clientHeight / size.height);
  const does = {
    in: () => zoom(STEP),
    out: () => zoom(1 / STEP),
    all: () => place(fitting(), false),
    start: () => place(Math.max(0.5, Math.min(1, canvas.clientWidth / size.width)), true),
  };
  const keys = {
    "+": does.in,
    "=": does.in,
    "-": does.out,
    0: does.all,
    Home: does.start,
    ArrowLeft: () => move(MOVE, 0),
    ArrowRight: () => move(-MOVE, 0),
    ArrowUp: () => move(0, MOVE),
    ArrowDown: () => move(0, -MOVE),
  };

  for (const button of figure.querySelectorAll("[data-do]")) button.onclick = does[button.dataset.do];
  canvas.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 300), [event.clientX - box.left, event.clientY - box.top]);
    },
    { passive: false },
  );
  fingers(canvas, zoom, move);
  does.start();
}

// Follows mouse and fingers: one moves, two move and zoom.
function fingers(canvas, zoom, move) {
  const down = new Map();
  const spread = () => {
    const [one, two = one] = [...down.values()],
      box = canvas.getBoundingClientRect();
    return {
      x: (one.clientX + two.clientX) / 2 - box.left,
      y: (one.clientY + two.clientY) / 2 - box.top,
      apart: Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY),
    };
  };
  canvas.onpointerdown = (event) => {
    down.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => down.delete(event.pointerId);
  canvas.onpointermove = (event) => {
    if (!down.has(event.pointerId)) return;
    const before = spread();
    down.set(event.pointerId, event);
    const now = spread();
    if (before.apart && now.apart) zoom(now.apart / before.apart, [now.x, now.y]);
    move(now.x - before.x, now.y - before.y);
  };
  canvas.addEventListener(
    "touchmove",
    (event) => {
      if (event.touches.length > 1) event.preventDefault();
    },
    { passive: false },
  );
}

document.querySelectorAll(".graph").forEach(drawGraph);
