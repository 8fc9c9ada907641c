let spray = null, last = null, asked = false, later = [];
const at = event => {
  const board = element.querySelector('svg.points');
  const box = board.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
};
const dab = (x, y) => {
  if (spray.length >= 200 || x < 0 || x > 1 || y < 0 || y > 1) return;
  spray.push([x, y]);
  const dot = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
  dot.setAttribute('cx', 1000 * x); dot.setAttribute('cy', HEIGHT * y); dot.setAttribute('r', 6.5);
  dot.setAttribute('fill', 'currentColor');
  element.querySelector('svg.points')?.appendChild(dot);
};
element.addEventListener('pointerdown', event => {
  if (!event.target.closest('svg.points')) return;
  event.preventDefault();
  spray = []; last = at(event);
  dab(...last);
});
window.addEventListener('pointermove', event => {
  if (!spray || !element.querySelector('svg.points')) return;
  const [x, y] = at(event);
  if (Math.hypot(x - last[0], y - last[1]) < 0.015) return;  // a slow hand does not pile points up
  last = [x, y];
  for (let drop = 0; drop < 2; drop++) dab(x + 0.05 * (Math.random() - 0.5), y + 0.07 * (Math.random() - 0.5));
});
const done = () => {
  const dabs = spray ?? [];
  spray = null;
  if (!dabs.length) return;
  // while an answer is on its way, the page keeps the last event only: it takes the points of those before along
  if (asked) later.push(...dabs);
  trigger('dab', {dabs: asked ? [...later] : dabs});
  asked = true;
};
watch('value', () => {
  if (props.value?.startsWith('<!--run')) return;  // a frame of a run answers no click
  asked = later.length > 0; later = [];
});
window.addEventListener('pointerup', done);
window.addEventListener('pointercancel', () => { spray = null; });
