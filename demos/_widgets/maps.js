let down = false;
const at = event => {
  const map = event.target.closest('.map');
  if (!map) return;
  const box = map.getBoundingClientRect();
  const part = (value, size) => Math.min(1, Math.max(0, value / size));
  const x = part(event.clientX - box.left, box.width), y = part(event.clientY - box.top, box.height);
  element.querySelectorAll('.map i').forEach(mark => { mark.style.left = 100 * x + '%'; mark.style.top = 100 * y + '%'; });
  trigger('pick', {x, y});
};
element.addEventListener('pointerdown', event => { down = true; at(event); });
element.addEventListener('pointermove', event => { if (down) at(event); });
window.addEventListener('pointerup', () => { down = false; });
window.addEventListener('pointercancel', () => { down = false; });
