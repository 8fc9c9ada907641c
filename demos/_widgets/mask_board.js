// value: channels.side.pixels.mask[.example], pixels and bits of the mask in base64; without a mask ("") nothing is to be unknown
const canvas = element.querySelector('canvas'), context = canvas.getContext('2d'), palette = element.querySelector('input');
const masks = element.querySelector('.masks'), hatch = element.querySelector('.hatch');
let side = 28, channels = 1, pixels = new Uint8ClampedArray(28 * 28 * 3), unknown = new Uint8Array(28 * 28).fill(1);
let masked = true, example = '', tool = '#ffffff', last = null, text = '';
const past = [];
const bytes = part => Uint8Array.from(atob(part), letter => letter.charCodeAt(0));
const base64 = values => btoa(Array.from(values, value => String.fromCharCode(value)).join(''));
for (const [name, [label]] of Object.entries(MASKS)) {
  const button = Object.assign(document.createElement('button'), {type: 'button', textContent: label});
  button.dataset.mask = name;
  masks.append(button);
}
const show = () => {
  canvas.width = canvas.height = side;
  const image = context.createImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    image.data.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = unknown[i] ? 0 : 255;  // the hatching behind the canvas shows through
  }
  context.putImageData(image, 0, 0);
  palette.hidden = channels === 1;
  masks.hidden = hatch.hidden = !masked;
};
const choose = chosen => {
  tool = chosen;
  element.querySelectorAll('[data-tool]').forEach(button => button.setAttribute('aria-pressed', button.dataset.tool === tool));
};
const read = value => {
  const [depth, width, colours, bits, number] = value.split('.');
  channels = Number(depth); side = Number(width); masked = bits !== ''; example = number ?? '';
  const values = bytes(colours), marks = bytes(bits);
  pixels = Uint8ClampedArray.from({length: 3 * side * side}, (_, i) => values[channels === 1 ? Math.floor(i / 3) : i]);
  unknown = Uint8Array.from({length: side * side}, (_, i) => marks[i >> 3] >> (7 - (i & 7)) & 1);
  text = value;
  if (!masked && !tool) choose('#ffffff');
  show();
};
const send = () => { props.value = text; trigger('drawn'); };
const write = () => {
  const marks = new Uint8Array(Math.ceil(side * side / 8));
  unknown.forEach((on, i) => { if (on) marks[i >> 3] |= 1 << (7 - (i & 7)); });
  const colours = channels === 1 ? pixels.filter((_, i) => i % 3 === 0) : pixels;
  text = [channels, side, base64(colours), masked ? base64(marks) : '', ...(example ? [example] : [])].join('.');
  show();
  send();
};
const remember = () => { if (text) past.push(text); if (past.length > 50) past.shift(); };
const dab = (x, y) => {
  const reach = (tool && tool !== '#000000' ? 1.6 : 2.2) * side / 28;
  const colour = [1, 3, 5].map(at => parseInt(tool.slice(at, at + 2), 16));
  for (let row = Math.max(0, Math.floor(y - reach)); row < Math.min(side, y + reach); row++)
    for (let column = Math.max(0, Math.floor(x - reach)); column < Math.min(side, x + reach); column++) {
      const ink = Math.min(1, Math.max(0, reach - Math.hypot(column + 0.5 - x, row + 0.5 - y))), i = side * row + column;
      if (!tool) { if (ink > 0.5) unknown[i] = 1; continue; }
      if (unknown[i]) {  // a stroke over the unknown makes it known
        if (ink < 0.5) continue;
        unknown[i] = 0; pixels.fill(0, 3 * i, 3 * i + 3);
      }
      colour.forEach((value, part) => { pixels[3 * i + part] += (value - pixels[3 * i + part]) * ink; });
    }
};
const stroke = event => {
  const box = canvas.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * side, y = (event.clientY - box.top) / box.height * side;
  const from = last || [x, y], steps = Math.max(1, Math.ceil(2 * Math.hypot(x - from[0], y - from[1])));
  for (let step = 1; step <= steps; step++) dab(from[0] + (x - from[0]) * step / steps, from[1] + (y - from[1]) * step / steps);
  last = [x, y];
  show();
};
canvas.addEventListener('pointerdown', event => {
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  remember(); last = null; stroke(event);
});
canvas.addEventListener('pointermove', event => { if (last) stroke(event); });
for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => {
  if (!last) return;
  last = null;
  if (tool) example = '';
  write();
});
palette.addEventListener('input', () => choose(palette.value));
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (!button) return;
  const wanted = button.dataset;
  if ('tool' in wanted) choose(wanted.tool);
  else if (wanted.mask) {
    remember();
    const [top, left, bottom, right] = MASKS[wanted.mask].slice(1).map(share => Math.round(share * side));
    unknown = unknown.map((_, i) => {
      const row = Math.floor(i / side), column = i % side;
      return row >= top && row < bottom && column >= left && column < right;
    });
    write();
  } else if (wanted.do === 'clear') {
    remember(); pixels.fill(0); unknown.fill(0); example = ''; write();
  } else if (past.length) {
    read(past.pop()); send();
  }
});
const arrived = () => { if (props.value && props.value !== text) { remember(); read(props.value); } };
watch('value', arrived);
arrived();
