const at = event => {
  const map = event.target.closest('.map');
  if (!map) return;
  const scores = JSON.parse(map.dataset.scores), patch = Number(map.dataset.patch), stride = Number(map.dataset.stride);
  const bounds = map.getBoundingClientRect();
  // patch number n begins 23 pixels before n strides of 8, and so its middle is at n + 1.5 strides
  const index = (value, size, count) => Math.min(count - 1, Math.max(0, Math.round(100 * value / size / stride - 1.5)));
  const row = index(event.clientY - bounds.top, bounds.height, scores.length);
  const column = index(event.clientX - bounds.left, bounds.width, scores[0].length);
  const frame = map.querySelector('i'), begin = place => (place - 23 / 8) * stride;
  element.querySelectorAll('.map i').forEach(other => { other.hidden = other !== frame; });
  const cut = place => [Math.max(0, begin(place)), Math.min(100, begin(place) + patch)];
  const [left, right] = cut(column), [top, bottom] = cut(row);
  Object.assign(frame.style, {left: left + '%', top: top + '%', width: right - left + '%', height: bottom - top + '%'});
  element.querySelector('.where').textContent =
    `This patch of ${map.dataset.words}: ${(100 * scores[row][column]).toFixed(0)} % real.`;
};
element.addEventListener('pointermove', at);
element.addEventListener('pointerdown', at);
