let down = false;
const at = event => {
  const pad = element.querySelector('.pad');
  if (!pad) return;
  const box = pad.getBoundingClientRect();
  const x = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const y = Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
  const knob = pad.querySelector('i');
  knob.style.left = 100 * x + '%'; knob.style.top = 100 * y + '%';
  trigger('move', {x, y});
};
element.addEventListener('pointerdown', event => {
  if (!event.target.closest('.pad')) return;
  down = true; event.preventDefault(); at(event);
});
window.addEventListener('pointermove', event => { if (down) at(event); });
window.addEventListener('pointerup', () => { down = false; });
