let here = null;
const bytes = part => Uint8Array.from(atob(part), letter => letter.charCodeAt(0));
const show = place => {
  const shown = element.querySelector('.surprise');
  if (!shown) return;
  const [levels, side, measured] = ['levels', 'side', 'measured'].map(name => Number(shown.dataset[name])), cells = side * side;
  const bits = new Uint16Array(bytes(shown.dataset.bits).buffer), own = bytes(shown.dataset.true)[place];
  here = place;
  const row = Math.floor(place / side), column = place % side;
  shown.querySelectorAll('.map i').forEach(mark => {
    mark.style.left = 100 * column / side + '%';
    mark.style.top = 100 * row / side + '%';
  });
  const known = place < measured, where = `Row ${row}, column ${column}: `;
  shown.querySelector('.where').textContent = where + (known
    ? `this pixel cost ${(bits[own * cells + place] / 1000).toFixed(2)} bits.` : 'not measured, a pixel before it is unknown.');
  const shares = Array.from({length: known ? levels : 0}, (_, level) => 2 ** (-bits[level * cells + place] / 1000));
  shown.querySelector('.bars').innerHTML = shares.map((share, level) => {
    const grey = Math.round(255 * level / (levels - 1)), name = levels === 2 ? ['black', 'white'][level] : 'grey ' + level;
    const percent = 100 * share, words = percent >= 10 ? percent.toFixed(0) : percent.toPrecision(percent < 0.1 ? 1 : 2);
    return `<div class="row${level === own ? ' true' : ''}">` +
      `<span><i style="background:rgb(${grey},${grey},${grey})"></i>${name}</span>` +
      `<div class="track"><div class="fill" style="left:0;width:${percent.toFixed(2)}%"></div></div><span>${words} %</span></div>`;
  }).join('');
};
const at = event => {
  const map = event.target.closest('.map');
  if (!map) return;
  const box = map.getBoundingClientRect(), side = Number(element.querySelector('.surprise').dataset.side);
  const part = (value, size) => Math.min(side - 1, Math.max(0, Math.floor(side * value / size)));
  show(side * part(event.clientY - box.top, box.height) + part(event.clientX - box.left, box.width));
};
element.addEventListener('pointermove', at);
element.addEventListener('pointerdown', at);
element.addEventListener('keydown', event => {
  if (here === null || !event.target.closest('.map')) return;
  const side = Number(element.querySelector('.surprise').dataset.side);
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -side, ArrowDown: side}[event.key];
  if (!step) return;
  event.preventDefault();
  show(Math.min(side * side - 1, Math.max(0, here + step)));
});
const first = () => { const shown = element.querySelector('.surprise'); if (shown) show(Number(shown.dataset.first)); };
watch('value', () => { first(); if (props.value) element.scrollIntoView({block: 'nearest', behavior: 'smooth'}); });
first();
