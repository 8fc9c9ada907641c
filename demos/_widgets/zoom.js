// shows the same spot of all pictures in a stage, by the variables --zoom, --x and --y there
// parts: the buttons out, in and fit, and an output, are in `bar`; `held(event)`: the picture that a gesture moves, or null;
// `wheels(event)`: whether the wheel zooms; `moved(spot)`: the spot is another one
const zoomOf = (stage, bar, held, wheels, moved = () => {}) => {
  const MOST = 16, spot = {x: 0.5, y: 0.5, zoom: 1}, shown = bar.querySelector('output');
  let grasped = null, gliding = 0;
  const place = () => {
    const half = 0.5 / spot.zoom, keep = at => Math.min(1 - half, Math.max(half, at));
    spot.x = keep(spot.x); spot.y = keep(spot.y);
    shown.textContent = spot.zoom.toFixed(spot.zoom < 10 && Math.abs(spot.zoom % 1) > 0.05 ? 1 : 0) + '\u00d7';
    stage.style.setProperty('--zoom', spot.zoom);
    stage.style.setProperty('--x', 100 * (half - spot.x) * spot.zoom + '%');
    stage.style.setProperty('--y', 100 * (half - spot.y) * spot.zoom + '%');
    stage.classList.toggle('near', spot.zoom > 1);
    moved(spot);
  };
  const set = (x, y, zoom) => { gliding++; Object.assign(spot, {x, y, zoom}); place(); };
  const glide = (x, y, zoom) => {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return set(x, y, zoom);
    const mine = ++gliding, from = {...spot}, start = performance.now();
    const step = now => {
      if (mine !== gliding) return;  // another wish
      const part = Math.min(1, Math.max(0, (now - start) / 500)), share = part * part * (3 - 2 * part);
      spot.x = from.x + share * (x - from.x); spot.y = from.y + share * (y - from.y);
      spot.zoom = from.zoom * (zoom / from.zoom) ** share;
      place();
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  const to = (zoom, px = 0.5, py = 0.5) => {
    zoom = Math.min(MOST, Math.max(1, zoom));
    set(spot.x + (px - 0.5) / spot.zoom - (px - 0.5) / zoom, spot.y + (py - 0.5) / spot.zoom - (py - 0.5) / zoom, zoom);
  };
  const at = (view, event) => {
    const box = view.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  bar.addEventListener('click', event => {
    const wish = event.target.closest('[data-do]')?.dataset.do;
    if (wish) to({in: spot.zoom * 1.5, out: spot.zoom / 1.5, fit: 1}[wish]);
  });
  stage.addEventListener('wheel', event => {
    const view = held(event);
    if (!view || !wheels(event, spot)) return;
    event.preventDefault();
    to(spot.zoom * Math.exp(-event.deltaY / 400), ...at(view, event));
  }, {passive: false});
  stage.addEventListener('dblclick', event => {
    const view = held(event);
    if (view) to(spot.zoom > 1 ? 1 : 4, ...at(view, event));
  });
  stage.addEventListener('pointerdown', event => {
    const view = held(event);
    if (!view || spot.zoom === 1 || !event.isPrimary || event.button) return;
    gliding++;
    grasped = [event.clientX, event.clientY, view.getBoundingClientRect()];
    view.setPointerCapture(event.pointerId);
  });
  stage.addEventListener('pointermove', event => {
    if (!grasped || !event.isPrimary) return;
    const [left, top, box] = grasped;
    spot.x -= (event.clientX - left) / box.width / spot.zoom;
    spot.y -= (event.clientY - top) / box.height / spot.zoom;
    grasped = [event.clientX, event.clientY, box];
    place();
  });
  for (const end of ['pointerup', 'pointercancel']) stage.addEventListener(end, () => { grasped = null; });
  stage.addEventListener('keydown', event => {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (event.defaultPrevented) return;
    if (event.key === '+' || event.key === '-') to(event.key === '+' ? spot.zoom * 1.5 : spot.zoom / 1.5);
    else if (way && spot.zoom > 1) set(spot.x + 0.1 * way[0] / spot.zoom, spot.y + 0.1 * way[1] / spot.zoom, spot.zoom);
    else return;
    event.preventDefault();
  });
  return {spot, set, glide};
};
